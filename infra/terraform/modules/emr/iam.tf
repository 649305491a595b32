# The roles on the nodes: one of the instances themselves, which can do little, and one for each pipeline, which its steps run
# with. iam_service.tf has the role of EMR.

resource "aws_iam_role" "node" {
  name               = "${var.prefix}-emr-node"
  description        = "Nodes of the clusters of ${var.prefix}; steps run with the role of their pipeline instead"
  assume_role_policy = data.aws_iam_policy_document.node_trust.json
}

resource "aws_iam_instance_profile" "node" {
  name = "${var.prefix}-emr-node"
  role = aws_iam_role.node.name
}

data "aws_iam_policy_document" "node_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

resource "aws_iam_role_policy" "node" {
  name   = "node"
  role   = aws_iam_role.node.id
  policy = data.aws_iam_policy_document.node.json
}

data "aws_iam_policy_document" "node" {
  dynamic "statement" {
    for_each = length(var.pipelines) > 0 ? [1] : []

    content {
      sid       = "TakeOnJobRoles"
      actions   = ["sts:AssumeRole", "sts:TagSession"]
      resources = [for role in aws_iam_role.job : role.arn]
    }
  }

  statement {
    sid       = "WriteLogs"
    actions   = ["s3:PutObject"]
    resources = ["${var.logs.arn}/emr/*"]
  }

  statement {
    sid     = "ReadArtifacts"
    actions = ["s3:GetObject"]
    resources = [
      "${var.artifacts.arn}/jobs/*",
      "arn:${local.partition}:s3:::${local.region}.elasticmapreduce/*", # AWS's own, read while a node starts
    ]
  }

  # Not only through S3: the keys of instance store volumes are fetched from KMS itself.
  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]
  }
}

resource "aws_iam_role" "job" {
  for_each = var.pipelines

  name               = "${var.prefix}-job-${each.key}"
  description        = "Steps of pipeline ${each.key}"
  assume_role_policy = data.aws_iam_policy_document.job_trust.json
}

data "aws_iam_policy_document" "job_trust" {
  statement {
    actions = ["sts:AssumeRole", "sts:TagSession"]

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.node.arn]
    }
  }
}

resource "aws_iam_role_policy" "job" {
  for_each = var.pipelines

  name   = "pipeline"
  role   = aws_iam_role.job[each.key].id
  policy = data.aws_iam_policy_document.job[each.key].json
}

data "aws_iam_policy_document" "job" {
  for_each = var.pipelines

  # S3 asks for this with the key as prefix, too, before it says of an object that there is none.
  statement {
    sid       = "ListLake"
    actions   = ["s3:ListBucket"]
    resources = [var.lake.arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values = [
        for area in ["raw", "landing", "curated", "quarantine", "export", "ledger"] : "${area}/${each.key}/*"
      ]
    }
  }

  statement {
    sid       = "ReadRaw"
    actions   = ["s3:GetObject", "s3:GetObjectVersion"] # a plan names the version that it saw
    resources = ["${var.lake.arn}/raw/${each.key}/*"]
  }

  statement {
    sid     = "WriteData"
    actions = ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
    resources = [
      for area in ["landing", "curated", "quarantine", "export"] : "${var.lake.arn}/${area}/${each.key}/*"
    ]
  }

  statement {
    sid       = "ReadLedger"
    actions   = ["s3:GetObject"]
    resources = ["${var.lake.arn}/ledger/${each.key}/*"]
  }

  # Nothing in the ledger is ever replaced or deleted: a put must carry If-None-Match, and no statement allows a delete.
  statement {
    sid       = "AddToLedger"
    actions   = ["s3:PutObject"]
    resources = ["${var.lake.arn}/ledger/${each.key}/*"]

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
    resources = ["${var.lake.arn}/ledger/${each.key}/*/looked.json"]
  }

  statement {
    sid       = "ReadArtifacts"
    actions   = ["s3:GetObject"]
    resources = ["${var.artifacts.arn}/jobs/*"]
  }

  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.amazonaws.com", "secretsmanager.${local.region}.amazonaws.com"]
    }
  }

  dynamic "statement" {
    for_each = each.value.secret_arn == null ? [] : [1]

    content {
      sid       = "ReadSourceAddress"
      actions   = ["secretsmanager:GetSecretValue"]
      resources = [each.value.secret_arn]
    }
  }

  dynamic "statement" {
    for_each = each.value.database == null ? [] : [1]

    content {
      sid     = "RegisterTables"
      actions = ["glue:CreateTable", "glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:UpdateTable"]
      resources = [
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:catalog",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:database/${each.value.database}",
        "arn:${local.partition}:glue:${local.region}:${local.account_id}:table/${each.value.database}/*",
      ]
    }
  }
}
