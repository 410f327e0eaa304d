#!/bin/bash
# Run once by the PostgreSQL image: the owner of the tables, and the role of the web and workers.
set -euo pipefail

part() { # part URL-FILE user|password
  local rest user password
  rest=$(sed -E 's#^postgres(ql)?://##; s#@[^@]*$##' "/run/secrets/$1")
  user=${rest%%:*}
  password=${rest#*:}
  if [ "$2" = user ]; then echo "$user"; else echo "$password"; fi
}

psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v owner="$(part database_owner_url user)" -v owner_password="$(part database_owner_url password)" \
  -v app="$(part database_url user)" -v app_password="$(part database_url password)" <<'SQL'
CREATE ROLE :"owner" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'owner_password';
CREATE ROLE :"app" LOGIN NOSUPERUSER NOCREATEROLE NOCREATEDB PASSWORD :'app_password';
CREATE DATABASE xraydx OWNER :"owner";
REVOKE ALL ON DATABASE xraydx FROM PUBLIC;
GRANT CONNECT ON DATABASE xraydx TO :"app";
SQL
