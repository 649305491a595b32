# What makes this environment prod: a destroy stops at the first bucket that holds anything.

terraform {
  backend "s3" {
    key          = "prod/terraform.tfstate"
    use_lockfile = true
  }
}

locals {
  environment       = "prod"
  destroy_with_data = false
  vpc               = { cidr = "10.41.0.0/16", endpoint_zones = 2 } # jobs start while one zone is down
  warehouse         = { kind = "serverless", base_rpu = 16, max_rpu = 64 }
  instances         = { core_count = 2, task_spot_count = 2 }

  # Pipelines that run every few minutes; the others each get a cluster for the time of a run.
  shared_cluster = { idle_minutes = 60, max_instances = 6 }
  on_shared      = ["social", "stackoverflow"]
  event_deliveries = {
    social = { prefix = "raw/social/web-data/raw/" }
  }
}
