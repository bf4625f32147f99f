# The smallest complete call: a project and its perimeter, everything else at its secure default.

provider "google" {
  project = var.project_id
}

module "storage" {
  source = "../.."

  name                = "basic-example"
  project_id          = var.project_id
  data_classification = "sensitive"

  names = {
    bucket     = "basic-example-data-${var.unique_suffix}"
    log_bucket = "basic-example-logs-${var.unique_suffix}"
    key_ring   = "basic-example"
    key        = "storage"
  }

  network = {
    service_perimeter = var.service_perimeter
  }

  labels = {
    owner = "platform-team"
  }
}
