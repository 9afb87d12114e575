/** Every error of Plumbline has one of these codes for good. `retry` says whether trying again later can help. */
export const ERRORS = {
  CONFLICT: { retry: true, title: 'The world changed after the plan was made' },
  TIMEOUT: { retry: true, title: 'No answer within the deadline' },
  CANCELLED: { retry: true, title: 'Stopped before it was done' },
  USAGE: { retry: false, title: 'The command line is wrong' },
  INTERNAL: { retry: false, title: 'A defect in Plumbline' },
  // source
  SOURCE_UNREACHABLE: { retry: true, title: 'The Git repository cannot be reached' },
  SOURCE_REFUSED: { retry: false, title: 'The Git address, branch or path is not allowed' },
  REVISION_NOT_FOUND: { retry: true, title: 'The branch, tag or commit does not exist' },
  TREE_EMPTY: { retry: false, title: 'The tree holds no manifest' },
  // compile
  // place
  HOST_NOT_NAMED: { retry: false, title: 'No Host document names this machine' },
  // store
  STORE_UNAVAILABLE: { retry: true, title: 'The store cannot be used' },
  STORE_REFUSED: { retry: false, title: 'Redis refuses this process' },
  STORE_EMPTIED: { retry: false, title: 'Redis was emptied under this process' },
  PROTOCOL_MISMATCH: { retry: true, title: 'Two versions of plumb are too far apart' },
  STORE_LOCKED: { retry: false, title: 'Another plumb runs on this host' },
  DISK_FULL: { retry: true, title: 'The state directory is full' },
  JOURNAL_CORRUPT: { retry: false, title: 'The audit chain is broken' },
  NOT_RUNNING: { retry: false, title: 'No plumb up runs here' },
  // containers
  DOCKER_UNAVAILABLE: { retry: true, title: 'Docker does not answer' },
  IMAGE_UNAVAILABLE: { retry: true, title: 'The image is neither local nor can it be pulled' },
  CONTAINER_FAILED: { retry: true, title: 'Docker refused the container' },
  NOT_OURS: { retry: false, title: 'Something unmarked has the name' },
  // ovs
  OVS_UNAVAILABLE: { retry: true, title: 'Open vSwitch does not answer' },
  PORT_FAILED: { retry: true, title: 'The port could not be plugged in' },
  ADDRESS_IN_USE: { retry: true, title: 'Another machine on the VLAN answers for the address' },
  UPLINK_REFUSED: { retry: false, title: 'The uplink carries an address of the host' },
  // cgroups, host
  KNOB_UNSUPPORTED: { retry: false, title: 'The kernel has no such knob' },
  KNOB_REFUSED: { retry: true, title: 'The kernel refused the value' },
  CORES_UNAVAILABLE: { retry: true, title: 'A NUMA node has too few cores that nobody has' },
  ORIGINALS_CORRUPT: { retry: false, title: 'The file of original values cannot be understood' },
  // lab
  LAB_FAILED: { retry: true, title: 'The lab could not be started or changed' },
  MISSING_PROGRAM: { retry: false, title: 'A program is missing' },
} as const;

export type ErrorCode = keyof typeof ERRORS;

/** The one error class. `details` is plain data for logs and JSON; it never holds a secret. */
export class PlumbError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, details: Readonly<Record<string, unknown>> = {}, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PlumbError';
    this.code = code;
    this.details = details;
  }

  get retry(): boolean {
    return ERRORS[this.code].retry;
  }
}

/** Any thrown value as a PlumbError; what is not one becomes INTERNAL unless a code is given. */
export function asPlumbError(error: unknown, code: ErrorCode = 'INTERNAL', prefix = ''): PlumbError {
  if (error instanceof PlumbError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new PlumbError(code, prefix === '' ? text : `${prefix}: ${text}`, {}, error);
}

/** The errno name of what a system call threw, as ENOENT; EIO where it has none. */
export function errnoOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
}

/** Whether a write failed because no space, or none of the quota, is left. */
export function isDiskFull(error: unknown): boolean {
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error));
}
