# One image for web, streams, worker and beat; compose.yaml says which runs. Not run in CI.
FROM python:3.13-slim-bookworm AS packages
COPY requirements.txt config/launcher/installer.txt /lock/
RUN python -m venv /venv \
    && /venv/bin/pip install --no-cache-dir --require-hashes -r /lock/installer.txt \
    && VIRTUAL_ENV=/venv /venv/bin/uv pip install --no-cache --require-hashes -r /lock/requirements.txt

FROM python:3.13-slim-bookworm
RUN useradd --system --uid 10001 --home-dir /data --create-home joulemart
COPY --from=packages /venv /venv
WORKDIR /app
COPY manage.py pyproject.toml ./
COPY accounts accounts
COPY client client
COPY config config
COPY frontend frontend
COPY marketplace marketplace
COPY scheduler scheduler
ENV PATH=/venv/bin:$PATH PYTHONPATH=/app/client DATA_DIR=/data PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER joulemart
VOLUME /data
EXPOSE 8000 8001
CMD ["granian", "--interface", "wsgi", "--host", "0.0.0.0", "--port", "8000", "--workers", "2", "--blocking-threads", "16", "--log-level", "warning", "config.wsgi:application"]
