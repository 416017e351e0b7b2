#!/bin/sh
# Runs once, in an empty server: a database for each service, an owner that migrates it, and the
# role that the service works as, which owns nothing. No role can connect to a neighbour's database.
#
# For each service in SERVICES: <SERVICE>_OWNER_PASSWORD and <SERVICE>_APP_PASSWORD.
set -eu
: "${SERVICES:=auth billing analytics features}"

psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC;
SQL

for service in $SERVICES; do
  name=$(echo "$service" | tr '[:lower:]' '[:upper:]')
  eval "owner_password=\$${name}_OWNER_PASSWORD app_password=\$${name}_APP_PASSWORD"
  psql --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname=postgres \
    --set=service="$service" --set=owner="${service}_owner" \
    --set=owner_password="$owner_password" --set=app_password="$app_password" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'owner_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE ROLE :"service" LOGIN PASSWORD :'app_password' NOSUPERUSER NOCREATEDB NOCREATEROLE;
CREATE DATABASE :"service" OWNER :"owner";
REVOKE ALL ON DATABASE :"service" FROM PUBLIC;
GRANT CONNECT ON DATABASE :"service" TO :"service";
\connect :service
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
SQL
done
