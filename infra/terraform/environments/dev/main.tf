# One environment: every module once, and what each needs of the others. The same text in every environment (a test compares them):
# what differs is in settings.tf, what only its owner knows in terraform.tfvars.

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      project     = "tidemark"
      environment = local.environment
      managed-by  = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

# The role or user that applies, without its session: whoever makes an environment may use it.
data "aws_iam_session_context" "applier" {
  arn = data.aws_caller_identity.current.arn
}

locals {
  prefix = "tidemark-${local.environment}"

  # From conf/: a source that is added there gets its role, its secret and its database by the next apply.
  conf      = "${path.module}/../../../../conf/pipelines"
  files     = fileset(local.conf, "*.yaml")
  pipelines = { for file in local.files : trimsuffix(file, ".yaml") => yamldecode(file("${local.conf}/${file}")) }
  connections = toset([
    for name, pipeline in local.pipelines : name if anytrue([for feed in values(pipeline.feeds) : feed.type == "postgres"])
  ])
}

module "network" {
  source = "../../modules/network"

  prefix         = local.prefix
  vpc            = local.vpc
  reserved_cidrs = var.reserved_cidrs
}

module "lake" {
  source = "../../modules/lake"

  prefix            = local.prefix
  destroy_with_data = local.destroy_with_data
}

module "secrets" {
  source = "../../modules/secrets"

  prefix               = local.prefix
  kms_key_arn          = module.lake.kms_key_arn
  connections          = local.connections
  recovery_window_days = local.destroy_with_data ? 0 : 7
}

module "catalog" {
  source = "../../modules/catalog"

  prefix      = local.prefix
  lake        = module.lake.lake
  artifacts   = module.lake.artifacts
  kms_key_arn = module.lake.kms_key_arn
  pipelines   = toset(keys(local.pipelines))
}

module "events" {
  source = "../../modules/events"

  prefix      = local.prefix
  lake        = module.lake.lake
  kms_key_arn = module.lake.kms_key_arn
  deliveries  = local.event_deliveries
}

module "emr" {
  source = "../../modules/emr"

  prefix          = local.prefix
  network         = module.network
  source_networks = var.source_networks
  lake            = module.lake.lake
  artifacts       = module.lake.artifacts
  logs            = module.lake.logs
  kms_key_arn     = module.lake.kms_key_arn
  instances       = local.instances
  shared_cluster  = local.shared_cluster
  pipelines = {
    for name in keys(local.pipelines) : name => {
      secret_arn = lookup(module.secrets.secret_arns, name, null)
      database   = module.catalog.databases[name]
    }
  }
}

module "warehouse" {
  source = "../../modules/warehouse"

  prefix      = local.prefix
  network     = module.network
  lake        = module.lake.lake
  kms_key_arn = module.lake.kms_key_arn
  capacity    = local.warehouse
}

module "orchestration" {
  source = "../../modules/orchestration"

  prefix             = local.prefix
  trusted_principals = coalescelist(var.airflow_principals, [data.aws_iam_session_context.applier.issuer_arn])
  lake               = module.lake.lake
  artifacts          = module.lake.artifacts
  logs               = module.lake.logs
  kms_key_arn        = module.lake.kms_key_arn
  emr                = module.emr
  warehouse          = merge(module.warehouse.warehouse, { loader_db_role = module.warehouse.loader_db_role })
}

module "guardrails" {
  source = "../../modules/guardrails"

  prefix      = local.prefix
  kms_key_arn = module.lake.kms_key_arn
  emails      = var.alert_emails
  monthly_usd = var.monthly_budget_usd
  clusters    = local.shared_cluster == null ? {} : { shared = module.emr.shared_cluster_id }
}
