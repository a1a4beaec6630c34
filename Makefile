# overspill on one machine. `make help` lists what there is.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What to install; EXTRAS=vm,service,page,dev leaves out the operations with a model, and their 2 GB, EXTRAS=vm,page,dev the
# cloud as well.
EXTRAS ?= vm,remove-background,caption,service,page,gcs,traces,lab,dev
STAMP := $(VENV)/.installed
MODELS := $(VENV)/.models
# What is linted, tested and typed is listed in pyproject.toml.

.DEFAULT_GOAL := help
.PHONY: help install rabbitmq clients browser up down demo lint test test-pure test-compose clean

help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-13s %s\n", $$1, $$2 }'

install: $(STAMP) ## Create .venv and install overspill into it.

$(STAMP): pyproject.toml deploy/setup-venv.sh
	@deploy/setup-venv.sh "$(PYTHON)" $(VENV) "$(EXTRAS)"
	@touch $@

# Once, and no more than tried: an operation whose model can't be had is not served, and says so.
$(MODELS): $(STAMP)
	@deploy/setup-models.sh $(BIN)/overspill
	@touch $@

rabbitmq: ## Install RabbitMQ from the system's packages, if there is none.
	@deploy/setup-rabbitmq.sh

clients: ## Install the clients that the examples use, where they are missing (for the tests only).
	@deploy/setup-clients.sh

browser: $(STAMP) ## Install a Chromium to test the page in, if there is none (for the tests only).
	@deploy/setup-browser.sh $(BIN)

# A broker of your own (AMQP_URL) needs no RabbitMQ on this machine.
up: $(MODELS) $(if $(AMQP_URL),,rabbitmq) ## Start the page, a broker, two VMs, a router and a cloud; Ctrl-C stops them.
	@exec $(BIN)/overspill up

down: ## Stop a stack that runs in the background.
	@if [ -x $(BIN)/overspill ]; then exec $(BIN)/overspill down; fi

demo: $(MODELS) $(if $(AMQP_URL),,rabbitmq) ## Turn a sample photograph into a sketch; the result is demo/.
	@deploy/demo.sh $(BIN)/overspill

lint: $(STAMP) ## Check format, rules, types, imports, dependencies and spelling.
	@deploy/lint.sh $(BIN)

test: $(STAMP) rabbitmq clients browser ## Lint, then run all tests (in CI those of `make test-compose` too).
	@deploy/lint.sh $(BIN)
	@deploy/test.sh $(BIN)

test-pure: $(STAMP) ## Run the tests of the pure modules alone, in seconds.
	@$(BIN)/pytest -m pure tests

test-compose: $(STAMP) ## Run compose.yaml for real on a Docker engine (slow).
	@$(BIN)/pytest -m compose

clean: down ## Stop the stack and remove everything that make and the tools created here.
	rm -rf $(VENV) .overspill demo build dist *.egg-info .coverage .hypothesis .schemathesis .mypy_cache .ruff_cache .pytest_cache \
		.import_linter_cache examples/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
