// Captures in an S3-compatible store, signed with Signature Version 4, addressed by path or by virtual host.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { LookupFunction } from 'node:net'
import { AwsV4Signer } from 'aws4fetch'
import { Agent, request } from 'undici'
import type { S3StoreOptions } from '../../../protocol/config/capture.js'
import { MillraceError } from '../../../protocol/errors.js'
import { readSecret } from '../../../runtime/config/secret.js'
import { isCaptureKey } from '../name.js'
import type { CaptureStore, StoredCapture } from '../store.js'
import { CAPTURE_BYTES_MAX, storeFault } from './fault.js'
import { parseList } from './s3-list.js'

export interface S3Surroundings {
  /** Replaces the system's resolver. */
  readonly lookup?: LookupFunction
}

const PAGES_MAX = 20

/** Throws `config.secret_file` when a secret's file can not be read. */
export function s3Store(options: S3StoreOptions, { lookup }: S3Surroundings = {}): CaptureStore {
  const { bucket, prefix, region, timeout, path_style: isPathStyle } = options
  const secretAccessKey =
    options.secret_access_key_file === undefined
      ? (options.secret_access_key ?? '')
      : readSecret(options.secret_access_key_file, 'capture.store.secret_access_key_file')
  const base = bucketUrl(options.endpoint, bucket, isPathStyle)
  const place = `s3 bucket ${bucket} at ${new URL(options.endpoint).host}`
  const agent = new Agent({
    connections: 2,
    connect: {
      timeout,
      ...(options.ca_file === undefined ? {} : { ca: readFileSync(options.ca_file, 'utf8') }),
      ...(lookup === undefined ? {} : { lookup }),
    },
  })

  async function send(method: string, path: string, query: Record<string, string>, body?: Uint8Array) {
    const url = new URL(`${base}${path}`)
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value)
    // A session token is short-lived: its file is read anew for each request.
    const token = options.session_token_file
    const signed = await new AwsV4Signer({
      method,
      url: url.href,
      headers: {
        'x-amz-content-sha256': createHash('sha256')
          .update(body ?? '')
          .digest('hex'),
        ...(body === undefined ? {} : { 'content-type': 'application/gzip' }),
      },
      accessKeyId: options.access_key_id,
      secretAccessKey,
      ...(token === undefined ? {} : { sessionToken: readSecret(token, 'capture.store.session_token_file') }),
      service: 's3',
      region,
    }).sign()
    const response = await request(signed.url, {
      method: method as 'GET' | 'PUT',
      headers: Object.fromEntries(signed.headers),
      body: body === undefined ? null : Buffer.from(body.buffer, body.byteOffset, body.byteLength),
      dispatcher: agent,
      signal: AbortSignal.timeout(timeout),
    })
    const bytes = await readAll(response.body)
    return { status: response.statusCode, bytes }
  }

  async function guarded<T>(doing: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      throw storeFault(place, doing, error)
    }
  }

  const list = (max: number) =>
    guarded('list its captures', async () => {
      const found: StoredCapture[] = []
      let token: string | undefined
      for (let pages = 0; pages < PAGES_MAX; pages++) {
        const query = {
          'list-type': '2',
          prefix,
          ...(token === undefined ? {} : { 'continuation-token': token }),
        }
        const { status, bytes } = await send('GET', '/', query)
        if (status !== 200) throw refused(place, 'list its captures', status, bytes)
        const page = parseList(bytes.toString('utf8'))
        for (const { key, ...object } of page.objects) {
          const own = key.slice(prefix.length)
          if (isCaptureKey(own)) found.push({ key: own, ...object })
        }
        token = page.next
        if (token === undefined) break
      }
      return found.sort((a, b) => b.storedAtMs - a.storedAtMs).slice(0, max)
    })

  return {
    place,
    put: (key, bytes) =>
      guarded(`take ${key}`, async () => {
        const answer = await send('PUT', `/${prefix}${key}`, {}, bytes)
        if (answer.status !== 200) throw refused(place, `take ${key}`, answer.status, answer.bytes)
      }),
    list,
    get: (key) =>
      guarded(`give ${key}`, async () => {
        const { status, bytes } = await send('GET', `/${prefix}${key}`, {})
        if (status === 404) return undefined
        if (status !== 200) throw refused(place, `give ${key}`, status, bytes)
        return bytes
      }),
    close: () => agent.close(),
  }
}

/** `https://host/bucket` or `https://bucket.host`, without a slash at its end. */
function bucketUrl(endpoint: string, bucket: string, isPathStyle: boolean): string {
  const url = new URL(endpoint)
  const path = url.pathname.replace(/\/$/, '')
  return isPathStyle
    ? `${url.protocol}//${url.host}${path}/${bucket}`
    : `${url.protocol}//${bucket}.${url.host}${path}`
}

function refused(place: string, doing: string, status: number, body: Buffer): MillraceError {
  const text = body.toString('utf8', 0, 4096)
  const code = /<Code>([\w.]{1,64})<\/Code>/.exec(text)?.[1]
  const message = `captures: ${place} does not ${doing}: ${status}${code === undefined ? '' : ` ${code}`}`
  return new MillraceError('capture.store', message, {
    cause: Object.assign(new Error(text), { code: String(status) }),
  })
}

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of body) {
    bytes += chunk.length
    if (bytes > CAPTURE_BYTES_MAX) throw new Error(`answer of more than ${CAPTURE_BYTES_MAX} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
