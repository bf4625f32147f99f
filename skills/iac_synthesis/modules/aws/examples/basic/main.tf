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

  network = {
    vpc_endpoint_ids = var.vpc_endpoint_ids
  }

  tags = {
    owner = "platform-team"
  }
}
