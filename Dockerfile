# docker build -t tf1ref .
# docker run --rm -v "$PWD:/work" tf1ref exec old_script.py
FROM python:3.12-slim
COPY . /src
RUN pip install --no-cache-dir "/src[plots]" && rm -rf /src
RUN useradd --create-home user
USER user
WORKDIR /work
ENTRYPOINT ["tf1ref"]
