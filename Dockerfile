# An image of the emulator with its data in a volume. It listens on all interfaces, and then needs a token for the
# admin API:
#   docker build -t outlook-emulator .
#   docker run -p 127.0.0.1:4365:4365 -v outlook:/data -e OUTLOOK_EMULATOR_ADMIN_TOKEN=SECRET outlook-emulator
ARG PYTHON_IMAGE=python:3.13-slim
FROM ${PYTHON_IMAGE}

WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements ./requirements
COPY emulator ./emulator
COPY contract ./contract
COPY fixtures ./fixtures
# The user has a number only: it needs no entry in /etc/passwd, and orchestrators can see that it is not root.
RUN python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes --requirement requirements/run.txt \
    && python -m pip install --no-cache-dir --disable-pip-version-check --no-deps . \
    && install --directory --owner=4365 --group=4365 /data

# Any user can write there, whether it has a home folder or not.
ENV OUTLOOK_EMULATOR_CA_FOLDER=/data/ca
WORKDIR /data
USER 4365
VOLUME /data
EXPOSE 4365
HEALTHCHECK --interval=5s --timeout=3s --start-period=5s CMD ["outlook-emulator", "health"]
CMD ["outlook-emulator", "serve", "--host", "0.0.0.0", "--data", "/data"]
