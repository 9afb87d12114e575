/** Kernel parameters beside which another says what they take. */
const TOLD: Readonly<Record<string, string>> = {
  'net.ipv4.tcp_congestion_control': 'net.ipv4.tcp_available_congestion_control',
  'net.ipv4.tcp_allowed_congestion_control': 'net.ipv4.tcp_available_congestion_control',
  'kernel.seccomp.actions_logged': 'kernel.seccomp.actions_avail',
};

/** What others take, where the kernel's documentation says so (admin-guide/sysctl/vm, admin-guide/sysctl/kernel, networking/ip-sysctl). */
const DOCUMENTED: Readonly<Record<string, string>> = {
  'kernel.threads-max': '1 to 1073741823',
  'net.ipv4.ip_default_ttl': '1 to 255',
  'net.ipv4.ip_local_port_range': 'two ports, the lower first, not below net.ipv4.ip_unprivileged_port_start',
  'net.ipv4.tcp_syn_retries': '1 to 127',
  'vm.compaction_proactiveness': '0 to 100',
  'vm.dirty_background_ratio': '0 to 100',
  'vm.dirty_ratio': '0 to 100',
  'vm.overcommit_memory': '0 to 2',
  'vm.swappiness': '0 to 200 (100 before Linux 5.8)',
};

/** What a kernel parameter takes, in words; undefined where that is not known. `read` gives what another says. */
export function takesOf(key: string, read: (key: string) => string | undefined): string | undefined {
  const name = key.replaceAll('/', '.');
  const other = TOLD[name];
  return (other === undefined ? undefined : read(other)?.trim().split(/\s+/).join(', ')) ?? DOCUMENTED[name];
}
