"""`make bench`: films from upload to stored result, then pages at a hospital's size."""

import sys

from benchmarks import films, pages

if __name__ == "__main__":
    parts = {"films": films.main, "pages": pages.main}
    wanted = sys.argv[1:2] or list(parts)
    sys.exit(max(parts[name](sys.argv[2:]) for name in wanted))
