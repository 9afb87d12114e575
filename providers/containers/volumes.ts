import { realpath } from 'node:fs/promises';
import type { Volume } from '../../reconciler/model/catalog.ts';
import { PlumbError } from '../../reconciler/model/errors.ts';

/**
 * Host volumes must be directories that are where their path says: a symbolic link on the way (left by whoever may write
 * there) would lead out of what the Zone allows. Throws CONTAINER_FAILED before anything is touched.
 */
export async function checkVolumes(
  volumes: readonly Volume[],
  resolve: (path: string) => Promise<string> = realpath,
): Promise<void> {
  for (const volume of volumes) {
    if (!('host' in volume)) continue;
    const asked = volume.host.replace(/\/+$/, '') || '/';
    let real: string;
    try {
      real = await resolve(asked);
    } catch (error) {
      const why =
        (error as NodeJS.ErrnoException).code === 'ENOENT' ? 'does not exist on this host; make it' : String(error);
      throw new PlumbError('CONTAINER_FAILED', `volume ${volume.host} ${why}`, { path: volume.host }, error);
    }
    if (real !== asked)
      throw new PlumbError(
        'CONTAINER_FAILED',
        `volume ${volume.host} leads to ${real} by a symbolic link; name the real directory`,
        {
          path: volume.host,
          real,
        },
      );
  }
}
