data "aws_partition" "here" {}

locals {
  managed = "arn:${data.aws_partition.here.partition}:iam::aws:policy"
  issuer  = aws_eks_cluster.this.identity[0].oidc[0].issuer
  provider = {
    arn    = aws_iam_openid_connect_provider.cluster.arn
    issuer = trimprefix(local.issuer, "https://")
  }
}

resource "aws_cloudwatch_log_group" "cluster" {
  name              = "/aws/eks/${var.name}/cluster" # EKS writes here, and nowhere else.
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

resource "aws_iam_role" "cluster" {
  name = "${var.name}-cluster"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Eks"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "eks.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "cluster" {
  role       = aws_iam_role.cluster.name
  policy_arn = "${local.managed}/AmazonEKSClusterPolicy"
}

# To encrypt Kubernetes' secrets.
resource "aws_iam_role_policy" "cluster" {
  name = "encrypt-secrets"
  role = aws_iam_role.cluster.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid      = "EncryptSecrets"
      Effect   = "Allow"
      Action   = ["kms:Encrypt", "kms:Decrypt", "kms:ListGrants", "kms:DescribeKey"]
      Resource = var.secrets_key_arn
    }]
  })
}

resource "aws_eks_cluster" "this" {
  name     = var.name
  version  = var.kubernetes_version
  role_arn = aws_iam_role.cluster.arn

  enabled_cluster_log_types = ["api", "audit", "authenticator", "controllerManager", "scheduler"]

  vpc_config {
    subnet_ids              = var.subnet_ids
    endpoint_private_access = true
    endpoint_public_access  = length(var.public_access_cidrs) > 0
    public_access_cidrs     = length(var.public_access_cidrs) > 0 ? var.public_access_cidrs : null
  }

  # Secrets lie in etcd encrypted with a key of ours.
  encryption_config {
    resources = ["secrets"]

    provider {
      key_arn = var.secrets_key_arn
    }
  }

  access_config {
    authentication_mode                         = "API"
    bootstrap_cluster_creator_admin_permissions = false
  }

  depends_on = [
    aws_cloudwatch_log_group.cluster,
    aws_iam_role_policy.cluster,
    aws_iam_role_policy_attachment.cluster,
  ]
}

# Service accounts become AWS roles through this.
resource "aws_iam_openid_connect_provider" "cluster" {
  url            = local.issuer
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "nodes" {
  name = "${var.name}-nodes"

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Nodes"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "ec2.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy_attachment" "nodes" {
  for_each = toset(["AmazonEKSWorkerNodePolicy", "AmazonEC2ContainerRegistryReadOnly"])

  role       = aws_iam_role.nodes.name
  policy_arn = "${local.managed}/${each.value}"
}

# What the database, the cache and the load balancer know the nodes by. How nodes and the control
# plane speak with each other is the business of the cluster's own group.
resource "aws_security_group" "nodes" {
  name        = "${var.name}-nodes"
  description = "The nodes of the cluster"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-nodes" }
}

resource "aws_launch_template" "nodes" {
  name                   = "${var.name}-nodes"
  update_default_version = true
  vpc_security_group_ids = compact([
    aws_security_group.nodes.id,
    aws_eks_cluster.this.vpc_config[0].cluster_security_group_id,
  ])

  # One hop: a pod can't ask for the node's credentials.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  block_device_mappings {
    device_name = "/dev/xvda"

    ebs {
      volume_type           = "gp3"
      volume_size           = var.nodes.disk_gib
      encrypted             = true
      delete_on_termination = true
    }
  }

  monitoring {
    enabled = true
  }

  tag_specifications {
    resource_type = "instance"
    tags          = merge(var.tags, { Name = "${var.name}-node" })
  }

  tag_specifications {
    resource_type = "volume"
    tags          = merge(var.tags, { Name = "${var.name}-node" })
  }
}

resource "aws_eks_node_group" "this" {
  cluster_name    = aws_eks_cluster.this.name
  node_group_name = "nodes"
  node_role_arn   = aws_iam_role.nodes.arn
  subnet_ids      = var.subnet_ids
  ami_type        = "AL2023_x86_64_STANDARD"
  capacity_type   = "ON_DEMAND"
  instance_types  = [var.nodes.instance_type]

  launch_template {
    id      = aws_launch_template.nodes.id
    version = aws_launch_template.nodes.latest_version
  }

  scaling_config {
    min_size     = var.nodes.min
    desired_size = var.nodes.min
    max_size     = var.nodes.max
  }

  update_config {
    max_unavailable = 1
  }

  lifecycle {
    ignore_changes = [scaling_config[0].desired_size] # The cluster autoscaler's.
  }

  depends_on = [aws_eks_addon.before_nodes, aws_iam_role_policy_attachment.nodes]
}

# --- What every cluster needs --------------------------------------------------------------------

module "cni_role" {
  source = "../cloud_role"

  name              = "${var.name}-cni"
  identity_provider = local.provider
  namespace         = "kube-system"
  service_account   = "aws-node"
  managed_policies  = { cni = "${local.managed}/AmazonEKS_CNI_Policy" }
}

# A node isn't ready without its network, and the network has its rights from a role of its own.
resource "aws_eks_addon" "before_nodes" {
  for_each = var.addons ? toset(["vpc-cni", "kube-proxy"]) : []

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  service_account_role_arn    = each.key == "vpc-cni" ? module.cni_role.arn : null
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"
  # Without this the chart's network policies would be written down and obeyed by nobody.
  configuration_values = each.key == "vpc-cni" ? jsonencode({ enableNetworkPolicy = "true" }) : null
}

# These run on nodes.
resource "aws_eks_addon" "on_nodes" {
  for_each = var.addons ? toset(["coredns", "metrics-server"]) : []

  cluster_name                = aws_eks_cluster.this.name
  addon_name                  = each.key
  resolve_conflicts_on_create = "OVERWRITE"
  resolve_conflicts_on_update = "OVERWRITE"

  depends_on = [aws_eks_node_group.this]
}

module "autoscaler_role" {
  source = "../cloud_role"

  name              = "${var.name}-autoscaler"
  identity_provider = local.provider
  namespace         = "kube-system"
  service_account   = "cluster-autoscaler"

  statements = [
    {
      # LookAround: * because these calls list, and AWS lets none of them be narrowed to a resource.
      Sid    = "LookAround"
      Effect = "Allow"
      Action = [
        "autoscaling:DescribeAutoScalingGroups",
        "autoscaling:DescribeAutoScalingInstances",
        "autoscaling:DescribeLaunchConfigurations",
        "autoscaling:DescribeScalingActivities",
        "ec2:DescribeImages",
        "ec2:DescribeInstanceTypes",
        "ec2:DescribeLaunchTemplateVersions",
        "ec2:GetInstanceTypesFromInstanceRequirements",
      ]
      Resource = "*"
    },
    {
      Sid      = "ReadNodeGroups"
      Effect   = "Allow"
      Action   = ["eks:DescribeNodegroup"]
      Resource = aws_eks_node_group.this.arn
    },
    {
      # ScaleOurs: * because AWS names the group; the tag holds it to this cluster's.
      Sid      = "ScaleOurs"
      Effect   = "Allow"
      Action   = ["autoscaling:SetDesiredCapacity", "autoscaling:TerminateInstanceInAutoScalingGroup"]
      Resource = "*"
      Condition = { StringEquals = {
        "aws:ResourceTag/k8s.io/cluster-autoscaler/${var.name}" = "owned"
      } }
    },
  ]
}

# Where the lines of the pods go; `fluent-bit` carries them there.
resource "aws_cloudwatch_log_group" "application" {
  name              = "/${var.name}/application"
  retention_in_days = var.log_days
  kms_key_id        = var.logs_key_arn
}

module "log_role" {
  source = "../cloud_role"

  name              = "${var.name}-logs"
  identity_provider = local.provider
  namespace         = "kube-system"
  service_account   = "aws-for-fluent-bit"

  statements = [{
    # WriteApplicationLogs: * because each pod is a stream of this one group.
    Sid      = "WriteApplicationLogs"
    Effect   = "Allow"
    Action   = ["logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogStreams"]
    Resource = "${aws_cloudwatch_log_group.application.arn}:*"
  }]
}

# --- Who may do what in the cluster --------------------------------------------------------------

locals {
  administrators = var.access_entries ? var.administrators : []
  deployers      = var.access_entries ? var.deployers : {}
}

resource "aws_eks_access_entry" "administrators" {
  for_each = toset(local.administrators)

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

resource "aws_eks_access_policy_association" "administrators" {
  for_each = aws_eks_access_entry.administrators

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:${data.aws_partition.here.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type = "cluster"
  }
}

resource "aws_eks_access_entry" "deployers" {
  for_each = local.deployers

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value
}

# Everything within the product's namespace, external secrets included, and nothing outside.
resource "aws_eks_access_policy_association" "deployers" {
  for_each = aws_eks_access_entry.deployers

  cluster_name  = aws_eks_cluster.this.name
  principal_arn = each.value.principal_arn
  policy_arn    = "arn:${data.aws_partition.here.partition}:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"

  access_scope {
    type       = "namespace"
    namespaces = [var.namespace]
  }
}
