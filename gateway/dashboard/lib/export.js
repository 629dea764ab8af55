// export.js - workers as a table for others, and the question to REST that gives the same. Pure. SPDX-License-Identifier: MIT

const EXPORTED = ['worker_id', 'name', 'region', 'aws_instance_id', 'instance_type', 'status', 'service_status', 'cpu_utilization', 'memory_utilization',
  'storage_utilization', 'cml_labs_count', 'last_activity_at', 'hourly_cost', 'ec2_freshness', 'cloudwatch_freshness', 'cml_freshness', 'public_ip', 'cml_version', 'license_status', 'updated_at'];

/** RFC 4180; a text that a spreadsheet would take for a formula is made one no more. */
export function csv(list) {
  const cell = value => {
    const text = value === null || value === undefined ? '' : String(value);
    const safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return [EXPORTED, ...list.map(worker => EXPORTED.map(name => worker[name]))].map(row => row.map(cell).join(',')).join('\r\n') + '\r\n';
}

const quote = text => `'${text.replaceAll("'", "'\\''")}'`;
/** The nearest that REST has: what the page alone filters by is not in it. */
export function curl(origin, filter) {
  const words = new URLSearchParams();
  if (filter.region) words.set('region', filter.region);
  if (filter.status) words.set('status', filter.status);
  else if (filter.group === 'running') words.set('status', 'running');
  return `curl -s ${quote(`${origin}/api/workers${words.size ? `?${words}` : ''}`)}`;
}
