# Tests of the rules for azure: a good plan, and for each rule one that breaks it.
package flowctl.secure_storage_test

import rego.v1

import data.flowctl.secure_storage

azure := [
	create("azurerm_storage_account", "account", {
		"location": secure_storage.params.azure.locations[0],
		"account_replication_type": secure_storage.params.azure.replication,
		"allow_nested_items_to_be_public": false,
		"shared_access_key_enabled": false,
		"local_user_enabled": false,
		"https_traffic_only_enabled": true,
		"min_tls_version": "TLS1_2",
		"public_network_access_enabled": false,
		"network_rules": [{"default_action": "Deny"}],
		"customer_managed_key": [{}],
		"blob_properties": [{
			"versioning_enabled": true,
			"change_feed_enabled": true,
			"delete_retention_policy": [{"days": params.soft_delete_days}],
		}],
		"immutability_policy": [{"state": "Unlocked"}],
		"tags": tags,
	}),
	create("azurerm_storage_container", "container", {"container_access_type": "private"}),
	create("azurerm_key_vault", "vault", {
		"location": secure_storage.params.azure.locations[0],
		"purge_protection_enabled": true,
		"public_network_access_enabled": false,
		"tags": tags,
	}),
	create("azurerm_key_vault_key", "key", {"key_type": "RSA-HSM", "rotation_policy": [{"expire_after": "P90D"}]}),
	create("azurerm_log_analytics_workspace", "logs", {"retention_in_days": params.log_retention_days}),
	create("azurerm_monitor_diagnostic_setting", "diagnostics", {}),
	create("azurerm_storage_management_policy", "policy", {}),
]

test_azure_good_plan_breaks_nothing if broken(azure) == set()

test_azure_public_blobs if "public_access" in broken(patched(azure, "account", {"allow_nested_items_to_be_public": true}))

test_azure_public_container if "public_access" in broken(patched(azure, "container", {"container_access_type": "blob"}))

test_azure_shared_key if "identity_based_access" in broken(patched(azure, "account", {"shared_access_key_enabled": null}))

test_azure_no_diagnostics if "access_logging" in broken(without(azure, "diagnostics"))

test_azure_short_logs if "log_retention" in broken(patched(azure, "logs", {"retention_in_days": 7}))

test_azure_no_tags if "required_tags" in broken(patched(azure, "vault", {"tags": null}))

test_azure_far_away if "approved_regions" in broken(patched(azure, "account", {"location": "brazilsouth"}))

test_azure_no_versions if "recoverable_data" in broken(patched(azure, "account", {"blob_properties": []}))

test_azure_short_soft_delete if "recoverable_data" in broken(patched(azure, "account", {"blob_properties": [{"versioning_enabled": true, "delete_retention_policy": [{"days": 1}]}]}))

test_azure_local_copies_only if "replication" in broken(patched(azure, "account", {"account_replication_type": "ZRS"}))

test_azure_local_users if "no_static_credentials" in broken(patched(azure, "account", {"local_user_enabled": true}))

test_azure_no_lifecycle if "lifecycle" in broken(without(azure, "policy"))

test_azure_platform_key if "customer_managed_key" in broken(patched(azure, "account", {"customer_managed_key": []}))

test_azure_plain_http if "secure_transport" in broken(patched(azure, "account", {"https_traffic_only_enabled": false}))

test_azure_old_tls if "tls_floor" in broken(patched(azure, "account", {"min_tls_version": "TLS1_1"}))

test_azure_key_without_rotation if "key_rotation" in broken(patched(azure, "key", {"rotation_policy": []}))

test_azure_vault_can_be_purged if "key_rotation" in broken(patched(azure, "vault", {"purge_protection_enabled": false}))

test_azure_public_network if "private_network" in broken(patched(azure, "account", {"public_network_access_enabled": true}))

test_azure_open_network if "private_network" in broken(patched(azure, "account", {"network_rules": [{"default_action": "Allow"}]}))

test_azure_software_key if "hardware_key" in broken(patched(azure, "key", {"key_type": "RSA"}))

test_azure_mutable if "immutability" in broken(patched(azure, "account", {"immutability_policy": []}))

test_azure_no_change_feed if "change_events" in broken(patched(azure, "account", {"blob_properties": [{"versioning_enabled": true}]}))
