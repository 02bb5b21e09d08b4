# The emulator for everyone who can reach the container, with its data in a volume. It listens on all interfaces, and
# does not start there without a token for its admin API:
#   docker build -t outlook-emulator .
#   docker run -p 127.0.0.1:4365:4365 -v outlook:/data -e OUTLOOK_EMULATOR_ADMIN_TOKEN=SECRET outlook-emulator
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}

WORKDIR /src
COPY pyproject.toml README.md ./
COPY emulator ./emulator
COPY contract ./contract
COPY fixtures ./fixtures
# A user by number needs no entry in /etc/passwd, and shows any orchestrator that it is not root.
RUN python -m pip install --no-cache-dir --disable-pip-version-check . \
    && install --directory --owner=4365 --group=4365 /data

WORKDIR /data
USER 4365
VOLUME /data
EXPOSE 4365
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s CMD ["outlook-emulator", "health"]
CMD ["outlook-emulator", "serve", "--host", "0.0.0.0", "--data", "/data"]
