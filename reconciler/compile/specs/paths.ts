/** What is wrong with an absolute path: `.` and `..` segments, which could lead out of what is allowed. */
export function pathProblem(path: string): string | undefined {
  const strange = path
    .split('/')
    .some((segment, at) => segment === '.' || segment === '..' || (segment === '' && at > 0));
  return strange && path !== '/' ? `"${path}" is not a plain absolute path` : undefined;
}
