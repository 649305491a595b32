# The role of EMR itself, which starts and ends nodes. After AWS's AmazonEMRServicePolicy_v2, with the network, the node role
# and the account named, and without what no cluster here uses (README.md).

locals {
  ec2 = "arn:${local.partition}:ec2:${local.region}:${local.account_id}"

  subnet_arns         = [for id in var.network.private_subnet_ids : "${local.ec2}:subnet/${id}"]
  security_group_arns = [for group in aws_security_group.this : group.arn]
}

resource "aws_iam_role" "service" {
  name               = "${var.prefix}-emr-service"
  description        = "EMR, while it makes and ends the clusters of ${var.prefix}"
  assume_role_policy = data.aws_iam_policy_document.service_trust.json
}

data "aws_iam_policy_document" "service_trust" {
  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["elasticmapreduce.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account_id]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:elasticmapreduce:${local.region}:${local.account_id}:*"]
    }
  }
}

resource "aws_iam_role_policy" "service" {
  name   = "clusters"
  role   = aws_iam_role.service.id
  policy = data.aws_iam_policy_document.service.json
}

data "aws_iam_policy_document" "service" {
  statement {
    sid = "UseNetwork"
    actions = [
      "ec2:CreateFleet",
      "ec2:CreateLaunchTemplate",
      "ec2:CreateLaunchTemplateVersion",
      "ec2:CreateNetworkInterface",
      "ec2:RunInstances",
    ]
    resources = concat(local.subnet_arns, local.security_group_arns)
  }

  statement {
    sid     = "StartTaggedNodes"
    actions = ["ec2:CreateFleet", "ec2:RunInstances"]
    resources = [
      # wildcard: the id is given when the node is made; the request must carry EMR's tag
      "${local.ec2}:instance/*",
      # wildcard: as for instances
      "${local.ec2}:volume/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid     = "MakeTaggedInterfaces"
    actions = ["ec2:CreateNetworkInterface"]
    # wildcard: the id is given when the interface is made; the request must carry EMR's tag
    resources = ["${local.ec2}:network-interface/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid     = "MakeTaggedTemplates"
    actions = ["ec2:CreateLaunchTemplate"]
    # wildcard: the id is given when the template is made; the request must carry EMR's tag
    resources = ["${local.ec2}:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid = "UseTaggedTemplates"
    actions = [
      "ec2:CreateFleet",
      "ec2:CreateLaunchTemplateVersion",
      "ec2:DeleteLaunchTemplate",
      "ec2:RunInstances",
    ]
    # wildcard: EMR names its templates; they must carry its tag
    resources = ["${local.ec2}:launch-template/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid = "StartNodesFromImages"
    actions = [
      "ec2:CreateFleet",
      "ec2:CreateLaunchTemplate",
      "ec2:CreateLaunchTemplateVersion",
      "ec2:RunInstances",
    ]
    resources = [
      # wildcard: the interface of a new node has no id and no tag yet
      "${local.ec2}:network-interface/*",
      # wildcard: a fleet has no id before it is made
      "${local.ec2}:fleet/*",
      # wildcard: images are AWS's; EMR takes the newest of the release
      "arn:${local.partition}:ec2:${local.region}::image/ami-*",
    ]
  }

  statement {
    sid     = "EndTaggedNodes"
    actions = ["ec2:ModifyInstanceAttribute", "ec2:TerminateInstances"]
    # wildcard: ids are given when nodes are made; EMR's tag and the node profile of this environment must be on them
    resources = ["${local.ec2}:instance/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.emr_tag}"
      values   = ["true"]
    }

    condition {
      test     = "ArnEquals"
      variable = "ec2:InstanceProfile"
      values   = [aws_iam_instance_profile.node.arn]
    }
  }

  statement {
    sid     = "EndTaggedInterfaces"
    actions = ["ec2:DeleteNetworkInterface"]
    # wildcard: ids are given when interfaces are made; they must carry EMR's tag
    resources = ["${local.ec2}:network-interface/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid     = "TagWhatItMakes"
    actions = ["ec2:CreateTags"]
    resources = [
      # wildcard: ids are not known before; only in the very call that makes the resource
      "${local.ec2}:instance/*",
      # wildcard: as for instances
      "${local.ec2}:launch-template/*",
      # wildcard: as for instances
      "${local.ec2}:network-interface/*",
      # wildcard: as for instances
      "${local.ec2}:volume/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateFleet", "CreateLaunchTemplate", "CreateNetworkInterface", "RunInstances"]
    }
  }

  statement {
    sid     = "TagWhatItMade"
    actions = ["ec2:CreateTags", "ec2:DeleteTags"]
    resources = [
      # wildcard: ids are not known before; only what carries EMR's tag
      "${local.ec2}:instance/*",
      # wildcard: as for instances
      "${local.ec2}:launch-template/*",
      # wildcard: as for instances
      "${local.ec2}:network-interface/*",
      # wildcard: as for instances
      "${local.ec2}:volume/*",
    ]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid = "LookAround"
    actions = [
      "ec2:DescribeAccountAttributes",
      "ec2:DescribeDhcpOptions",
      "ec2:DescribeImages",
      "ec2:DescribeInstanceTypeOfferings",
      "ec2:DescribeInstances",
      "ec2:DescribeLaunchTemplates",
      "ec2:DescribeNetworkAcls",
      "ec2:DescribeNetworkInterfaces",
      "ec2:DescribeRouteTables",
      "ec2:DescribeSecurityGroups",
      "ec2:DescribeSubnets",
      "ec2:DescribeVolumeStatus",
      "ec2:DescribeVolumes",
      "ec2:DescribeVpcAttribute",
      "ec2:DescribeVpcEndpoints",
      "ec2:DescribeVpcs",
    ]
    # wildcard: EC2 knows no resource for these
    resources = ["*"]
  }

  statement {
    sid       = "CompleteSecurityGroups"
    actions   = ["ec2:AuthorizeSecurityGroupIngress"]
    resources = local.security_group_arns
  }

  # From release 8.0.0 on EMR manages the nodes of a private subnet through an endpoint that it makes in the VPC.
  statement {
    sid       = "PutManagementEndpointIntoNetwork"
    actions   = ["ec2:CreateVpcEndpoint", "ec2:ModifyVpcEndpoint"]
    resources = concat(["${local.ec2}:vpc/${var.network.vpc_id}"], local.subnet_arns, local.security_group_arns)
  }

  statement {
    sid     = "MakeManagementEndpoint"
    actions = ["ec2:CreateVpcEndpoint"]
    # wildcard: the id is given when the endpoint is made; the request must carry EMR's tag and name
    resources = ["${local.ec2}:vpc-endpoint/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/${local.emr_tag}"
      values   = ["true"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Name"
      values   = ["emr-service-vpce"]
    }
  }

  statement {
    sid     = "ChangeManagementEndpoint"
    actions = ["ec2:ModifyVpcEndpoint"]
    # wildcard: the id is given when the endpoint is made; it must carry EMR's tag
    resources = ["${local.ec2}:vpc-endpoint/*"]

    condition {
      test     = "StringEquals"
      variable = "aws:ResourceTag/${local.emr_tag}"
      values   = ["true"]
    }
  }

  statement {
    sid     = "TagManagementEndpoint"
    actions = ["ec2:CreateTags"]
    # wildcard: the id is given when the endpoint is made; only in that call
    resources = ["${local.ec2}:vpc-endpoint/*"]

    condition {
      test     = "StringEquals"
      variable = "ec2:CreateAction"
      values   = ["CreateVpcEndpoint"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:RequestTag/Name"
      values   = ["emr-service-vpce"]
    }
  }

  statement {
    sid       = "GiveNodesTheirRole"
    actions   = ["iam:PassRole"]
    resources = [aws_iam_role.node.arn]

    condition {
      test     = "StringEquals"
      variable = "iam:PassedToService"
      values   = ["ec2.amazonaws.com"]
    }
  }

  statement {
    sid = "EncryptDisks"
    actions = [
      "kms:Decrypt",
      "kms:Encrypt",
      "kms:GenerateDataKeyWithoutPlaintext",
      "kms:ReEncryptFrom",
      "kms:ReEncryptTo",
    ]
    resources = [var.kms_key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["ec2.${local.region}.amazonaws.com"]
    }
  }

  statement {
    sid       = "LookAtKey"
    actions   = ["kms:DescribeKey"]
    resources = [var.kms_key_arn]
  }

  statement {
    sid       = "LetVolumesUseKey"
    actions   = ["kms:CreateGrant"]
    resources = [var.kms_key_arn]

    condition {
      test     = "Bool"
      variable = "kms:GrantIsForAWSResource"
      values   = ["true"]
    }
  }
}
