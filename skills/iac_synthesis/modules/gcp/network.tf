# Private access and the TLS floor are properties of the project, not of a bucket.

resource "google_access_context_manager_service_perimeter_resource" "project" {
  count = var.network.join_service_perimeter ? 1 : 0

  perimeter_name = var.network.service_perimeter
  resource       = "projects/${data.google_project.this.number}"
}

resource "google_org_policy_policy" "tls" {
  count = length(var.denied_tls_versions) > 0 ? 1 : 0

  name   = "projects/${var.project_id}/policies/gcp.restrictTLSVersion"
  parent = "projects/${var.project_id}"

  spec {
    rules {
      values {
        denied_values = var.denied_tls_versions
      }
    }
  }
}
