-- What selectors compare: versions as texts that sort byte by byte. '' stands for no place in the order, NULL for not computed
-- yet: rows of older programs, which the server catches up with.
ALTER TABLE device_bundles ADD COLUMN version_key TEXT;
ALTER TABLE device_tags ADD COLUMN value_key TEXT;
ALTER TABLE devices ADD COLUMN agent_version_key TEXT;
ALTER TABLE devices ADD COLUMN arch TEXT;

UPDATE devices SET arch = json_extract(hardware_metadata, '$.arch')
  WHERE json_valid(hardware_metadata) AND json_type(hardware_metadata, '$.arch') = 'text';

CREATE INDEX device_bundles_by_name_and_order ON device_bundles (org_id, name, version_key, device_id);
CREATE INDEX device_bundles_by_order ON device_bundles (org_id, version_key, device_id);
CREATE INDEX device_bundles_to_order ON device_bundles (device_id) WHERE version_key IS NULL;
CREATE INDEX device_tags_by_order ON device_tags (org_id, key, value_key, device_id);
CREATE INDEX device_tags_to_order ON device_tags (device_id) WHERE value_key IS NULL;
CREATE INDEX devices_by_type ON devices (org_id, device_type);
CREATE INDEX devices_by_arch ON devices (org_id, arch);
CREATE INDEX devices_by_name ON devices (org_id, display_name);
CREATE INDEX devices_by_agent_version ON devices (org_id, agent_version_key);
CREATE INDEX devices_to_order ON devices (id) WHERE agent_version IS NOT NULL AND agent_version_key IS NULL;
