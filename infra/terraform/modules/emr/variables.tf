variable "prefix" {
  description = "First part of every name, such as \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = "prefix must be 3 to 31 of a-z, 0-9 and -, a letter first; got \"${var.prefix}\". Choose one such as \"tidemark-dev\"."
  }
}

variable "network" {
  description = "Where the nodes are, and what they may reach there (outputs of module network)."
  type = object({
    vpc_id                     = string
    private_subnet_ids         = list(string)
    s3_prefix_list_id          = string
    endpoint_security_group_id = string
  })
  nullable = false

  validation {
    condition     = length(var.network.private_subnet_ids) > 0
    error_message = "network.private_subnet_ids must name at least one subnet; got none. Pass the outputs of module network."
  }
}

variable "source_networks" {
  description = "Where the Postgres sources are: name → IPv4 network and port. Nodes reach nothing outside AWS's endpoints but these."
  type = map(object({
    cidr = string
    port = optional(number, 5432)
  }))
  nullable = false
  default  = {}

  validation {
    condition = alltrue([
      for source in var.source_networks : can(regex("/(1[6-9]|2[0-9]|3[0-2])$", source.cidr)) && can(cidrnetmask(source.cidr))
    ])
    error_message = format(
      "source_networks must be IPv4 networks of /16 to /32; got %s. Name the network of the database, such as \"10.20.0.0/24\".",
      jsonencode([for source in var.source_networks : source.cidr]),
    )
  }
}

variable "lake" {
  description = "The bucket of raw, landing, curated, quarantine, export and ledger."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "artifacts" {
  description = "The bucket with the wheel that steps run, below jobs/."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "logs" {
  description = "The bucket that takes the logs of clusters and steps, below emr/."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key of the buckets, the secrets and the disks."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias; got \"${var.kms_key_arn}\". Pass module.lake.kms_key_arn."
  }
}

variable "release_label" {
  description = "The EMR release; jobs/versions.py must name the same Spark, Delta and Python."
  type        = string
  nullable    = false
  default     = "emr-spark-8.0.0"

  validation {
    condition     = can(regex("^emr-(spark-)?[0-9]+\\.[0-9]+\\.[0-9]+$", var.release_label))
    error_message = <<-EOT
      release_label must be an exact release such as "emr-spark-8.0.0"; got "${var.release_label}". Take one from EMR's list of releases.
    EOT
  }

  validation {
    condition     = try(tonumber(regex("-([0-9]+)\\.", var.release_label)[0]) >= 8, true)
    error_message = <<-EOT
      release_label must be 8.0.0 or later; got "${var.release_label}". Earlier releases are managed over other ports,
      which the security groups here do not open: choose a release from 8.0.0 on.
    EOT
  }
}

variable "pipelines" {
  description = "The pipelines that run here: name → the secret of its source and its Glue database, where it has them."
  type = map(object({
    secret_arn = optional(string)
    database   = optional(string)
  }))
  nullable = false

  validation {
    condition = alltrue([
      for pipeline in keys(var.pipelines) : can(regex("^[a-z][a-z0-9_]*$", pipeline)) && length("${var.prefix}-job-${pipeline}") <= 64
    ])
    error_message = format(
      "pipelines must be a-z, 0-9 and _, with \"%s-job-\" before them at most 64 characters; got %s. Shorten the prefix or the name.",
      var.prefix, jsonencode(keys(var.pipelines)),
    )
  }
}

variable "instances" {
  description = "The nodes of a cluster: one primary, core nodes on demand, task nodes on Spot (transient clusters only)."
  # Of this family every size encrypts the traffic between instances in hardware, which is what stands in for certificates.
  type = object({
    primary_type    = optional(string, "m6i.xlarge")
    core_type       = optional(string, "m6i.xlarge")
    core_count      = optional(number, 1)
    task_type       = optional(string, "m6i.xlarge")
    task_spot_count = optional(number, 0)
  })
  nullable = false
  default  = {}

  validation {
    condition     = contains(range(1, 101), var.instances.core_count)
    error_message = "instances.core_count must be a whole number from 1 to 100; got ${var.instances.core_count}. Use 1 for small data."
  }

  validation {
    condition     = contains(range(0, 101), var.instances.task_spot_count)
    error_message = "instances.task_spot_count must be a whole number from 0 to 100; got ${var.instances.task_spot_count}. Use 0 for none."
  }
}

variable "shared_cluster" {
  description = "The cluster for pipelines that run every few minutes; null: none."
  type = object({
    max_instances       = optional(number, 4) # core and task nodes together
    concurrent_steps    = optional(number, 4)
    idle_minutes        = optional(number, 60)
    task_max_hourly_usd = optional(number, 0.25) # the highest Spot price that is paid for a task node
  })
  default = null

  validation {
    condition = try(contains(range(var.instances.core_count, 101), var.shared_cluster.max_instances), var.shared_cluster == null)
    error_message = format(
      "shared_cluster.max_instances must be a whole number from instances.core_count (%d) to 100; got %v. Raise it.",
      var.instances.core_count, try(var.shared_cluster.max_instances, null),
    )
  }

  validation {
    condition = try(contains(range(1, 257), var.shared_cluster.concurrent_steps), var.shared_cluster == null)
    error_message = format(
      "shared_cluster.concurrent_steps must be a whole number from 1 to 256; got %v. Use about one for each pipeline on the cluster.",
      try(var.shared_cluster.concurrent_steps, null),
    )
  }

  validation {
    condition = try(
      floor(var.shared_cluster.idle_minutes) == var.shared_cluster.idle_minutes
      && var.shared_cluster.idle_minutes >= 1 && var.shared_cluster.idle_minutes <= 10080,
      var.shared_cluster == null,
    )
    error_message = format(
      "shared_cluster.idle_minutes must be a whole number from 1 to 10080, a week; got %v. Use 60.",
      try(var.shared_cluster.idle_minutes, null),
    )
  }
}
