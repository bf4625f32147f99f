# The smallest complete call: two regions, everything else at its secure default.

provider "aws" {
  region = var.region
}

provider "aws" {
  alias  = "replica"
  region = var.replica_region
}

module "storage" {
  source = "../.."

  providers = {
    aws         = aws
    aws.replica = aws.replica
  }

  name                = "basic-example"
  data_classification = "sensitive"

  names = {
    bucket           = "basic-example-data-${var.unique_suffix}"
    log_bucket       = "basic-example-logs-${var.unique_suffix}"
    replica_bucket   = "basic-example-copy-${var.unique_suffix}"
    key_alias        = "basic-example"
    replication_role = "basic-example-replication"
  }

  network = {
    vpc_endpoint_ids = var.vpc_endpoint_ids
  }

  tags = {
    owner = "platform-team"
  }
}
