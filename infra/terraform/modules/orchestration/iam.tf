locals {
  account_id   = data.aws_caller_identity.current.account_id
  partition    = data.aws_partition.current.partition
  region       = data.aws_region.current.name
  clusters_arn = "arn:${local.partition}:elasticmapreduce:${local.region}:${local.account_id}:cluster"
}

# No sts:TagSession: a session tag would take the place of the role's own RedshiftDbRoles.
data "aws_iam_policy_document" "trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "AWS"
      identifiers = var.trusted_principals
    }
  }
}

data "aws_iam_policy_document" "clusters" {
  statement {
    sid     = "StartClusters"
    actions = ["elasticmapreduce:RunJobFlow"]
    # wildcard: a cluster has no ARN before it is made; the request must carry the environment's tag
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "elasticmapreduce:RequestTag/${var.emr.cluster_tag.key}"
      values   = [var.emr.cluster_tag.value]
    }
  }

  # RunJobFlow with tags asks for this, too. A cluster of another environment has the tag already, with another value.
  statement {
    sid     = "TagClusters"
    actions = ["elasticmapreduce:AddTags"]
    # wildcard: the id is given when the cluster is made; only with the environment's tag, not over that of another
    resources = ["${local.clusters_arn}/*"]

    condition {
      test     = "StringEquals"
      variable = "elasticmapreduce:RequestTag/${var.emr.cluster_tag.key}"
      values   = [var.emr.cluster_tag.value]
    }

    condition {
      test     = "StringEqualsIfExists"
      variable = "elasticmapreduce:ResourceTag/${var.emr.cluster_tag.key}"
      values   = [var.emr.cluster_tag.value]
    }
  }

  statement {
    sid     = "SubmitSteps"
    actions = ["elasticmapreduce:AddJobFlowSteps"]
    # wildcard: ids are given when clusters are made; they must carry the environment's tag, and the step a pipeline's role
    resources = ["${local.clusters_arn}/*"]

    condition {
      test     = "StringEquals"
      variable = "elasticmapreduce:ResourceTag/${var.emr.cluster_tag.key}"
      values   = [var.emr.cluster_tag.value]
    }

    condition {
      test     = "ArnEquals"
      variable = "elasticmapreduce:ExecutionRoleArn"
      values   = values(var.emr.job_role_arns)
    }
  }

  statement {
    sid = "FollowAndEndClusters"
    actions = [
      "elasticmapreduce:CancelSteps",
      "elasticmapreduce:DescribeCluster",
      "elasticmapreduce:DescribeStep",
      "elasticmapreduce:ListInstanceGroups",
      "elasticmapreduce:ListInstances",
      "elasticmapreduce:ListSteps",
      "elasticmapreduce:PutAutoTerminationPolicy",
      "elasticmapreduce:TerminateJobFlows",
    ]
    # wildcard: ids are given when clusters are made; they must carry the environment's tag
    resources = ["${local.clusters_arn}/*"]

    condition {
      test     = "StringEquals"
      variable = "elasticmapreduce:ResourceTag/${var.emr.cluster_tag.key}"
      values   = [var.emr.cluster_tag.value]
    }
  }

  dynamic "statement" {
    for_each = var.emr.shared_cluster_arn == null ? [] : [1]

    content {
      sid       = "KeepSharedCluster"
      effect    = "Deny"
      actions   = ["elasticmapreduce:TerminateJobFlows"]
      resources = [var.emr.shared_cluster_arn]
    }
  }

  statement {
    sid     = "FindClusters"
    actions = ["elasticmapreduce:ListClusters"]
    # wildcard: EMR knows no resource and no condition for this
    resources = ["*"]
  }

  statement {
    sid       = "GiveServiceRoleToEmr"
    actions   = ["iam:PassRole"]
    resources = [var.emr.service_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["elasticmapreduce.amazonaws.com"]
    }
  }

  statement {
    sid       = "GiveNodeRoleToEc2"
    actions   = ["iam:PassRole"]
    resources = [var.emr.instance_profile_role_arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }

  # With the first cluster of an account EMR makes the role that cleans up after clusters, on behalf of whoever starts it.
  statement {
    sid     = "LetEmrCleanUp"
    actions = ["iam:CreateServiceLinkedRole"]
    resources = [
      "arn:${local.partition}:iam::${local.account_id}:role/aws-service-role/elasticmapreduce.amazonaws.com/AWSServiceRoleForEMRCleanup",
    ]

    condition {
      test     = "StringEquals"
      variable = "iam:AWSServiceName"
      values   = ["elasticmapreduce.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "storage" {
  statement {
    sid       = "ListLake"
    actions   = ["s3:ListBucket"]
    resources = [var.lake.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["ledger/*", "export/*", "raw/*"]
    }
  }

  statement {
    sid       = "ReadLedgerAndExports"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake.arn}/ledger/*", "${var.lake.arn}/export/*"]
  }

  # As for jobs, nothing in the ledger is ever replaced or deleted: a put must carry If-None-Match.
  statement {
    sid       = "AddToLedger"
    actions   = ["s3:PutObject"]
    resources = ["${var.lake.arn}/ledger/*"]

    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  # The one memo that is replaced; nothing decides by it.
  statement {
    sid       = "NoteLastLook"
    actions   = ["s3:PutObject"]
    resources = ["${var.lake.arn}/ledger/*/looked.json"]
  }

  # What COPY reads is listed beside the exported files, once for each load attempt.
  statement {
    sid       = "ListFilesForCopy"
    actions   = ["s3:PutObject"]
    resources = ["${var.lake.arn}/export/*/copy/*.manifest"]

    condition {
      test     = "StringEquals"
      variable = "s3:if-none-match"
      values   = ["*"]
    }
  }

  statement {
    sid       = "ListArtifacts"
    actions   = ["s3:ListBucket"]
    resources = [var.artifacts.arn]

    # Airflow's S3DagBundle asks first whether the bucket is there, which is a listing without a prefix.
    condition {
      test     = "StringLikeIfExists"
      variable = "s3:prefix"
      values   = ["airflow/*", "jobs/*"]
    }
  }

  # DAGs are released by people: what Airflow runs, Airflow may not write.
  statement {
    sid       = "ReadReleases"
    actions   = ["s3:GetObject"]
    resources = ["${var.artifacts.arn}/airflow/*"]
  }

  statement {
    sid       = "DeliverWheel"
    actions   = ["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"]
    resources = ["${var.artifacts.arn}/jobs/*"]
  }

  statement {
    sid       = "ListLogs"
    actions   = ["s3:ListBucket"]
    resources = [var.logs.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["emr/*"]
    }
  }

  statement {
    sid       = "ReadLogs"
    actions   = ["s3:GetObject"]
    resources = ["${var.logs.arn}/emr/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "warehouse" {
  statement {
    sid       = "RunStatements"
    actions   = ["redshift-data:BatchExecuteStatement", "redshift-data:ExecuteStatement"]
    resources = [var.warehouse.arn]
  }

  dynamic "statement" {
    for_each = var.warehouse.kind == "serverless" ? [1] : []

    content {
      sid       = "LogIn"
      actions   = ["redshift-serverless:GetCredentials"]
      resources = [var.warehouse.arn]
    }
  }

  dynamic "statement" {
    for_each = var.warehouse.kind == "provisioned" ? [1] : []

    content {
      sid       = "LogIn"
      actions   = ["redshift:GetClusterCredentialsWithIAM"]
      resources = ["${replace(var.warehouse.arn, ":cluster:", ":dbname:")}/${var.warehouse.database}"]
    }
  }

  statement {
    sid = "FollowOwnStatements"
    actions = [
      "redshift-data:CancelStatement",
      "redshift-data:DescribeStatement",
      "redshift-data:GetStatementResult",
    ]
    # wildcard: a statement has no ARN; it must have been started with this role, in whatever session
    resources = ["*"]

    condition {
      test     = "StringLike"
      variable = "redshift-data:statement-owner-iam-userid"
      values   = ["${aws_iam_role.airflow.unique_id}:*"]
    }
  }

  statement {
    sid     = "FindOwnDatabaseRoles"
    actions = ["tag:GetResources", "tag:GetTagKeys"]
    # wildcard: tagging knows no resource; Redshift asks for these before it heeds the tag RedshiftDbRoles
    resources = ["*"]
  }
}
