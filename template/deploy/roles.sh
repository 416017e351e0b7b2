#!/bin/sh
# Runs once, in an empty database: the role that the application works as. It owns nothing;
# `flask db upgrade`, run by the owner, lets it read and write rows.
set -eu
psql --set=ON_ERROR_STOP=1 --set=password="$APP_PASSWORD" \
  --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
