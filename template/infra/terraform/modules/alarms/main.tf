resource "aws_sns_topic" "this" {
  name              = "${var.name}-alarms"
  kms_master_key_id = var.key_arn
}

resource "aws_sns_topic_subscription" "email" {
  for_each = toset(var.emails)

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = each.value
}

locals {
  database = {
    "database-cpu"     = { metric = "CPUUtilization", above = 80, minutes = 15, says = "The database computes more than 80 % for 15 minutes." }
    "database-disk"    = { metric = "FreeStorageSpace", below = var.database_disk_bytes, minutes = 5, says = "The database's disk is nearly full." }
    "database-memory"  = { metric = "FreeableMemory", below = 134217728, minutes = 15, says = "The database has less than 128 MiB left." }
    "database-clients" = { metric = "DatabaseConnections", above = var.database_connections, minutes = 5, says = "The database is running out of connections." }
  }
  cache = {
    "cache-memory" = { metric = "DatabaseMemoryUsagePercentage", above = 75, minutes = 5, says = "Valkey is filling up: it refuses writes when it's full. See flask events lag." }
    "cache-cpu"    = { metric = "EngineCPUUtilization", above = 80, minutes = 15, says = "Valkey computes more than 80 % for 15 minutes." }
  }
  entrance = {
    "errors"  = { metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", above = 20, minutes = 5, says = "More than 20 answers of the product in 5 minutes were errors." }
    "nobody"  = { metric = "UnHealthyHostCount", statistic = "Maximum", above = 0, minutes = 5, says = "The gateway doesn't answer on some node." }
    "latency" = { metric = "TargetResponseTime", percentile = "p95", above = 2, minutes = 10, says = "One in 20 requests takes more than 2 seconds." }
  }

  # Each says in which direction it is bad: `above` or `below`.
  alarms = merge(
    { for name, alarm in local.database : name => merge({ of = "AWS/RDS", where = { DBInstanceIdentifier = var.database } }, alarm) },
    merge([for node in var.cache_nodes : {
      for name, alarm in local.cache : "${name}-${node}" => merge({ of = "AWS/ElastiCache", where = { CacheClusterId = node } }, alarm)
    }]...),
    { for name, alarm in local.entrance : name => merge({ of = "AWS/ApplicationELB", where = { LoadBalancer = var.load_balancer, TargetGroup = var.target_group } }, alarm) },
  )
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.says
  namespace           = each.value.of
  metric_name         = each.value.metric
  dimensions          = each.value.where
  statistic           = can(each.value.percentile) ? null : try(each.value.statistic, "Average")
  extended_statistic  = try(each.value.percentile, null)
  comparison_operator = can(each.value.above) ? "GreaterThanThreshold" : "LessThanThreshold"
  threshold           = try(each.value.above, each.value.below)
  period              = 60 * each.value.minutes
  evaluation_periods  = 1
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}
