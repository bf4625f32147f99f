# The smallest complete call: a compartment, a VCN and two regions, everything else at its secure default.

provider "oci" {
  region = var.region
}

provider "oci" {
  alias  = "replica"
  region = var.replica_region
}

provider "oci" {
  alias  = "home"
  region = var.home_region
}

module "storage" {
  source = "../.."

  providers = {
    oci         = oci
    oci.replica = oci.replica
    oci.home    = oci.home
  }

  name                = "basic-example"
  tenancy_id          = var.tenancy_id
  compartment_id      = var.compartment_id
  region              = var.region
  data_classification = "sensitive"

  names = {
    bucket         = "basic-example-data"
    replica_bucket = "basic-example-copy"
    log_group      = "basic-example-logs"
    vault          = "basic-example-vault"
    key            = "storage"
  }

  network = {
    vcn_ids = [var.vcn_id]
  }

  replication = {
    region = var.replica_region
  }

  freeform_tags = {
    owner = "platform-team"
  }
}
