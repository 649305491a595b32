variable "prefix" {
  description = "Beginning of every name, for instance \"tidemark-dev\"."
  type        = string
  nullable    = false

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.prefix))
    error_message = <<-EOT
      prefix: expected 3 to 31 lower-case letters, digits and hyphens, beginning with a letter; got "${var.prefix}".
      Shorten or rewrite it.
    EOT
  }
}

variable "network" {
  description = "Where the warehouse has its addresses: private subnets of one VPC."
  type = object({
    vpc_id             = string
    private_subnet_ids = list(string)
  })
  nullable = false
}

variable "kms_key_arn" {
  description = "Key of the data, the audit log and the administrator's secret."
  type        = string
  nullable    = false
}

variable "lake" {
  description = "Bucket whose export/ is loaded."
  type        = object({ name = string, arn = string })
  nullable    = false
}

variable "capacity" {
  description = "serverless is paid by the second of use (base_rpu, max_rpu), provisioned by the hour (node_type, nodes)."
  type = object({
    kind      = string
    base_rpu  = optional(number, 8)
    max_rpu   = optional(number, 16)
    node_type = optional(string, "ra3.large")
    nodes     = optional(number, 1)
  })
  nullable = false

  validation {
    condition     = contains(["serverless", "provisioned"], var.capacity.kind)
    error_message = "capacity.kind: expected \"serverless\" or \"provisioned\"; got \"${var.capacity.kind}\". Choose one of them."
  }

  validation {
    condition     = contains(concat([4], range(8, 1025, 8)), var.capacity.base_rpu)
    error_message = "capacity.base_rpu: expected 4, or a multiple of 8 up to 1024; got ${var.capacity.base_rpu}. Take the next one."
  }

  validation {
    condition     = var.capacity.max_rpu >= var.capacity.base_rpu
    error_message = <<-EOT
      capacity.max_rpu: expected at least base_rpu (${var.capacity.base_rpu}), got ${var.capacity.max_rpu}.
      Raise it, or lower base_rpu: it is the most that one hour can cost.
    EOT
  }

  validation {
    condition     = startswith(var.capacity.node_type, "ra3.")
    error_message = <<-EOT
      capacity.node_type: expected an RA3 type such as "ra3.large", got "${var.capacity.node_type}".
      Choose an RA3 type: the older ones can neither be resized nor scale storage by themselves.
    EOT
  }

  validation {
    condition     = var.capacity.nodes >= 1 && floor(var.capacity.nodes) == var.capacity.nodes
    error_message = "capacity.nodes: expected a whole number, 1 or more; got ${var.capacity.nodes}. Correct it."
  }

  # Redshift Serverless refuses fewer, after the rest of the environment has been made.
  validation {
    condition     = var.capacity.kind != "serverless" || length(var.network.private_subnet_ids) >= 3
    error_message = <<-EOT
      capacity.kind: expected at least 3 private subnets in 3 zones for "serverless", got ${length(var.network.private_subnet_ids)}.
      Give the network a third zone, or choose "provisioned".
    EOT
  }
}

variable "database" {
  description = "Name of the database. Changing it makes a new, empty warehouse."
  type        = string
  nullable    = false
  default     = "warehouse"

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]{0,62}$", var.database))
    error_message = <<-EOT
      database: expected up to 63 lower-case letters, digits and underscores, beginning with a letter; got "${var.database}".
      Choose a name that needs no quotes in SQL.
    EOT
  }
}
