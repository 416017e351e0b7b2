"""The measure of all: what Flask and gunicorn cost when a view does nothing."""

from flask import Flask

app = Flask(__name__)


@app.get("/")
@app.get("/healthz")
def hello():
    return "Hello, world!"
