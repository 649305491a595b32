variable "prefix" {
  description = "First part of every name, such as \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = "prefix must be 3 to 31 of a-z, 0-9 and -, a letter first; got \"${var.prefix}\". Choose one such as \"tidemark-dev\"."
  }
}

variable "trusted_principals" {
  description = "ARNs of the IAM roles or users that Airflow runs as; they take on the role made here."
  type        = set(string)
  nullable    = false

  validation {
    condition = length(var.trusted_principals) > 0 && alltrue([
      for arn in var.trusted_principals : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/[^*]+$", arn))
    ])
    error_message = format(
      "trusted_principals must be at least one ARN of an IAM role or user, no wildcard; got %s. Name the role of Airflow's machine.",
      jsonencode(var.trusted_principals),
    )
  }
}

variable "lake" {
  description = "The bucket with ledger/, export/ and raw/."
  type        = object({ arn = string })
  nullable    = false
}

variable "artifacts" {
  description = "The bucket that takes the wheel, below jobs/."
  type        = object({ arn = string })
  nullable    = false
}

variable "logs" {
  description = "The bucket with the logs of clusters and steps, below emr/."
  type        = object({ arn = string })
  nullable    = false
}

variable "kms_key_arn" {
  description = "The key of the buckets."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key, not of an alias; got \"${var.kms_key_arn}\". Pass module.lake.kms_key_arn."
  }
}

variable "emr" {
  description = "What clusters run with, the tag they are known by, and the one that DAGs must not end (outputs of module emr)."
  type = object({
    service_role_arn          = string
    instance_profile_role_arn = string
    job_role_arns             = map(string)
    cluster_tag               = object({ key = string, value = string })
    shared_cluster_arn        = optional(string)
  })
  nullable = false

  validation {
    condition     = length(var.emr.job_role_arns) > 0
    error_message = "emr.job_role_arns must name the role of at least one pipeline; got none. Name a pipeline in module emr."
  }
}

variable "warehouse" {
  description = "Where batches are loaded: the workgroup or cluster, its database, and the database role to load with."
  type = object({
    kind           = string
    arn            = string
    database       = string
    loader_db_role = string
  })
  nullable = false

  validation {
    condition     = contains(["serverless", "provisioned"], var.warehouse.kind)
    error_message = "warehouse.kind must be \"serverless\" or \"provisioned\"; got \"${var.warehouse.kind}\". Use one of them."
  }
}
