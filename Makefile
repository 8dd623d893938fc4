# Every target is one line; the work is in config/launcher/. PORT, HOST and DATA_DIR choose another place (make run PORT=8010 DATA_DIR=var2).
PYTHON ?= python3
LAUNCH = @$(PYTHON) config/launcher/bootstrap.py
.PHONY: help run test services reset lock messages
help: ; @echo "make run       the whole product until Ctrl-C (PORT=8000 DATA_DIR=var)"; echo "make test      all checks (ARGS=tests/core for some)"; echo "make services  PostgreSQL and Valkey alone until Ctrl-C"; echo "make reset     clear the data (YES=1 asks nothing)"; echo "make lock      compile the hashed locks"; echo "make messages  compile the translations"
run: ; $(LAUNCH) run
test: ; $(LAUNCH) test $(ARGS)
services: ; $(LAUNCH) services
reset: ; $(LAUNCH) reset
lock: ; @for name in requirements requirements-dev config/launcher/installer; do .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-header --no-emit-index-url --output-file $$name.txt $$name.in || exit 1; done
messages: ; @.venv/bin/python manage.py compilemessages --ignore .venv
