# Every read, write and delete of a blob and every use of the key, in one Log Analytics workspace.

resource "azurerm_log_analytics_workspace" "this" {
  name                = var.names.log_workspace
  resource_group_name = var.resource_group_name
  location            = var.location
  sku                 = "PerGB2018"

  # 730 days is the most that stays interactive; the tables below keep the rest.
  retention_in_days = min(max(var.log_retention_days, 30), 730)

  # Diagnostic settings arrive over Azure's own channel; nothing else may write.
  internet_ingestion_enabled   = false
  local_authentication_enabled = false

  tags = local.tags
}

resource "azurerm_log_analytics_workspace_table" "long_term" {
  for_each = var.log_retention_days > 730 ? toset(["StorageBlobLogs", "AzureDiagnostics"]) : toset([])

  workspace_id            = azurerm_log_analytics_workspace.this.id
  name                    = each.key
  retention_in_days       = 730
  total_retention_in_days = var.log_retention_days
}

resource "azurerm_monitor_diagnostic_setting" "blob" {
  name                       = "access-logs"
  target_resource_id         = "${azurerm_storage_account.this.id}/blobServices/default"
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "StorageRead"
  }

  enabled_log {
    category = "StorageWrite"
  }

  enabled_log {
    category = "StorageDelete"
  }

  enabled_metric {
    category = "Transaction"
  }
}

resource "azurerm_monitor_diagnostic_setting" "vault" {
  name                       = "audit-logs"
  target_resource_id         = azurerm_key_vault.this.id
  log_analytics_workspace_id = azurerm_log_analytics_workspace.this.id

  enabled_log {
    category = "AuditEvent"
  }

  enabled_log {
    category = "AzurePolicyEvaluationDetails"
  }

  enabled_metric {
    category = "AllMetrics"
  }
}
