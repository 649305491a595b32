# What every cluster has in common: the security configuration, the tags and the classifications. DAGs start their transient
# clusters from output `launch`; shared_cluster.tf starts the shared one from the same values.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}
data "aws_region" "current" {}
data "aws_default_tags" "current" {}

locals {
  partition  = data.aws_partition.current.partition
  account_id = data.aws_caller_identity.current.account_id
  region     = data.aws_region.current.name

  # Who may steer a cluster is decided by this tag (module orchestration).
  cluster_tag = { key = "tidemark-clusters", value = var.prefix }

  # EMR passes the tags of a cluster on to everything it makes for it. This one it documents for that purpose, so the
  # conditions of the service role stand on it.
  emr_tag = "for-use-with-amazon-emr-managed-policies"

  own_tags = { (local.cluster_tag.key) = local.cluster_tag.value, (local.emr_tag) = "true" }

  applications   = ["Spark"]
  configurations = [{ classification = "delta-defaults", properties = { "delta.enabled" = "true" } }]
  log_uri        = "s3://${var.logs.name}/emr/"
}

resource "aws_emr_security_configuration" "this" {
  name = "${var.prefix}-emr"

  configuration = jsonencode({
    AuthorizationConfiguration = {
      # Steps run with the role of their pipeline, not with that of the instance.
      IAMConfiguration = { EnableApplicationScopedIAMRole = true }
    }
    EncryptionConfiguration = {
      EnableAtRestEncryption = true
      # It would need certificates, and so somebody who renews them; README.md says what stands in for it.
      EnableInTransitEncryption = false
      AtRestEncryptionConfiguration = {
        S3EncryptionConfiguration = { EncryptionMode = "SSE-KMS", AwsKmsKey = var.kms_key_arn }
        LocalDiskEncryptionConfiguration = {
          EncryptionKeyProviderType = "AwsKms"
          AwsKmsKey                 = var.kms_key_arn
          EnableEbsEncryption       = true
        }
      }
    }
    InstanceMetadataServiceConfiguration = {
      MinimumInstanceMetadataServiceVersion = 2
      HttpPutResponseHopLimit               = 1
    }
  })
}
