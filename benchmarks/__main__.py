"""`make bench`: films, the opening of the reading view, pages at a hospital's size.

python -m benchmarks [films | opening | pages] [--store]
"""

import sys

from benchmarks import documents, films, opening, pages

if __name__ == "__main__":
    parts = {"films": films.main, "opening": opening.main, "pages": pages.main}
    wanted, options = list(parts), sys.argv[1:]
    if options and not options[0].startswith("-"):
        if options[0] not in parts:
            sys.exit(f"there is no bench {options[0]!r}; there are {', '.join(parts)}")
        wanted, options = options[:1], options[1:]
    status = max(parts[name](options) for name in wanted)
    if "--store" in options:
        documents.write_all()
    sys.exit(status)
