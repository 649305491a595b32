# Names only: the tables are made and kept by the jobs, their data is in the lake, and who may query is granted elsewhere.

data "aws_caller_identity" "current" {}

resource "aws_glue_catalog_database" "pipeline" {
  for_each = var.pipelines

  name         = "${replace(var.prefix, "-", "_")}_${each.key}"
  description  = "Curated tables of pipeline ${each.key}"
  location_uri = "s3://${var.lake.name}/curated/${each.key}/"
}

resource "aws_athena_workgroup" "this" {
  name          = "${var.prefix}-queries"
  description   = "Queries over the curated tables"
  force_destroy = true # past queries alone would keep it from being deleted

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = var.max_scan_gb * pow(1024, 3)

    engine_version {
      selected_engine_version = "Athena engine version 3" # the first that reads Delta
    }

    result_configuration {
      output_location       = "s3://${var.artifacts.name}/athena/"
      expected_bucket_owner = data.aws_caller_identity.current.account_id

      encryption_configuration {
        encryption_option = "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}
