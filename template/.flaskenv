# Read by the `flask` command on your machine; never by gunicorn, so production stays production.
FLASK_APP=app
APP_ENV=development
