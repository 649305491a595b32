output "environment" {
  description = "The environment file that `make env` writes to conf/environments: all that tidemark, make submit-job and the DAGs need. No secret."
  value = {
    environment = local.environment
    region      = var.region
    role_arn    = module.orchestration.airflow_role_arn
    lake_url    = "s3://${module.lake.lake.name}"
    connections = { for pipeline, name in module.secrets.secret_names : pipeline => { secret = name } }
    catalog     = { type = "glue", databases = module.catalog.databases, workgroup = module.catalog.workgroup }
    warehouse = {
      type      = "redshift"
      database  = module.warehouse.warehouse.database
      workgroup = module.warehouse.warehouse.workgroup
      cluster   = module.warehouse.warehouse.cluster
      copy_role = module.warehouse.copy_role_arn
    }
    compute = merge(module.emr.launch, {
      type           = "emr"
      job_roles      = module.emr.job_role_arns
      shared_cluster = module.emr.shared_cluster_id
    })
    pipelines = { for name in local.on_shared : name => { cluster = "shared" } }
  }
}
