# What makes this environment dev: small, cheap when nobody works, and gone without a trace after a destroy.

terraform {
  backend "s3" {
    key          = "dev/terraform.tfstate"
    use_lockfile = true
  }
}

locals {
  environment       = "dev"
  destroy_with_data = true
  vpc               = { cidr = "10.40.0.0/16" }
  warehouse         = { kind = "serverless", base_rpu = 8, max_rpu = 16 }
  instances         = { core_count = 1 }

  # Pipelines that run every few minutes; the others each get a cluster for the time of a run.
  shared_cluster = { idle_minutes = 30, max_instances = 3 }
  on_shared      = ["social", "stackoverflow"]
  event_deliveries = {
    social = { prefix = "raw/social/web-data/raw/" }
  }
}
