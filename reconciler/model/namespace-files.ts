/** Files as they are seen in the network namespace of a process, as those below /proc/sys/net. */
export interface NamespaceFiles {
  /** The texts of the files; undefined for one that cannot be read. Throws CONFLICT when the namespace is gone, or nothing can enter it. */
  read(pid: number, files: readonly string[], signal: AbortSignal): Promise<readonly (string | undefined)[]>;
  /** Throws CONFLICT as read does, and KNOB_REFUSED with the kernel's errno. */
  write(pid: number, file: string, text: string, signal: AbortSignal): Promise<void>;
}
