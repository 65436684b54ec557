import { createHash, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes an image of random layers in skopeo's `dir:` layout; returns the digests of its blobs. */
export async function writeImage (folder: string, layerSizes: readonly number[]): Promise<readonly string[]> {
  await mkdir(folder, { recursive: true })
  const digests: string[] = []
  async function writeBlob (content: Buffer, mediaType: string) {
    const digest = createHash('sha256').update(content).digest('hex')
    await writeFile(join(folder, digest), content)
    digests.push(digest)
    return { mediaType, digest: `sha256:${digest}`, size: content.length }
  }
  const layers = []
  for (const size of layerSizes) {
    layers.push(await writeBlob(randomBytes(size), 'application/vnd.oci.image.layer.v1.tar+gzip'))
  }
  const diffIds = layers.map(({ digest }) => digest)
  const config = { architecture: 'amd64', os: 'linux', config: {}, rootfs: { type: 'layers', diff_ids: diffIds } }
  const manifest = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    config: await writeBlob(Buffer.from(JSON.stringify(config)), 'application/vnd.oci.image.config.v1+json'),
    layers,
  }
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest))
  await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n')
  return digests
}
