// A stand-in for an S3-compatible store: PUT, GET and ListObjectsV2 on one bucket, by path or virtual host, every signature verified.
import { createHash } from 'node:crypto'
import type { Faults } from './faults.js'
import { type Answer, type Request, startHttpStandIn } from './http.js'
import { type SigningKey, verifySignature } from './s3-signature.js'

export interface S3StandIn {
  readonly url: string
  readonly port: number
  /** Key → bytes. */
  readonly objects: Map<string, Buffer>
  setFaults(faults?: Faults): void
  close(): Promise<void>
}

export interface S3StandInOptions extends SigningKey {
  readonly bucket: string
  /** Requests to `<bucket>.<domain>` name the bucket by their host. */
  readonly domain?: string
  readonly sessionToken?: string
  /** Keys in one page of a list. Default 1,000. */
  readonly pageKeys?: number
}

const BODY_BYTES_MAX = 64 * 1024 * 1024

export async function startS3StandIn(options: S3StandInOptions): Promise<S3StandIn> {
  const objects = new Map<string, Buffer>()
  const server = await startHttpStandIn({
    headers: { server: 'stand-in', 'content-type': 'application/xml' },
    bodyBytesMax: BODY_BYTES_MAX,
    isWrite: () => true,
    handle: (request) => handle(request, options, objects),
  })
  return {
    url: server.url,
    port: Number(new URL(server.url).port),
    objects,
    setFaults: server.setFaults,
    close: server.close,
  }
}

function handle(request: Request, options: S3StandInOptions, objects: Map<string, Buffer>): Answer {
  const problem =
    verifySignature(request, options, Date.now()) ?? verifyBody(request) ?? verifyToken(request, options)
  if (problem !== undefined) return fault(problem.status, problem.code)
  const place = placeOf(request, options)
  if (place.bucket !== options.bucket) return fault(404, 'NoSuchBucket')
  if (request.method === 'PUT' && place.key !== '') {
    objects.set(place.key, Buffer.from(request.body))
    const etag = createHash('md5').update(request.body).digest('hex')
    return { status: 200, headers: { etag: `"${etag}"` } }
  }
  if (request.method === 'GET' && place.key === '') return list(request.query, options, objects)
  const object = objects.get(place.key)
  if (request.method !== 'GET') return fault(405, 'MethodNotAllowed')
  return object === undefined ? fault(404, 'NoSuchKey') : { status: 200, body: object }
}

function placeOf(request: Request, { domain }: S3StandInOptions): { bucket: string; key: string } {
  const path = decodeURIComponent(request.path).slice(1)
  const host = String(request.headers.host ?? '').replace(/:\d+$/, '')
  if (domain !== undefined && host.endsWith(`.${domain}`))
    return { bucket: host.slice(0, -domain.length - 1), key: path }
  const slash = path.indexOf('/')
  return slash < 0 ? { bucket: path, key: '' } : { bucket: path.slice(0, slash), key: path.slice(slash + 1) }
}

function list(query: URLSearchParams, options: S3StandInOptions, objects: Map<string, Buffer>): Answer {
  if (query.get('list-type') !== '2') return fault(501, 'NotImplemented')
  const { pageKeys = 1000 } = options
  const after = query.get('continuation-token') ?? ''
  const keys = [...objects.keys()]
    .filter((key) => key.startsWith(query.get('prefix') ?? '') && key > after)
    .sort()
  const page = keys.slice(0, pageKeys)
  const contents = page.map((key) => {
    const size = objects.get(key)?.length ?? 0
    return `<Contents><Key>${escaped(key)}</Key><LastModified>2026-11-23T10:00:00.000Z</LastModified><Size>${size}</Size></Contents>`
  })
  const isMore = keys.length > page.length
  const next = isMore ? `<NextContinuationToken>${escaped(page.at(-1) ?? '')}</NextContinuationToken>` : ''
  const body = `<?xml version="1.0" encoding="UTF-8"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>${isMore}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`
  return { status: 200, body }
}

function verifyBody({ headers, body }: Request) {
  const stated = headers['x-amz-content-sha256']
  const actual = createHash('sha256').update(body).digest('hex')
  return stated === actual ? undefined : { status: 400, code: 'XAmzContentSHA256Mismatch' }
}

function verifyToken({ headers }: Request, { sessionToken }: S3StandInOptions) {
  return headers['x-amz-security-token'] === sessionToken ? undefined : { status: 400, code: 'InvalidToken' }
}

function fault(status: number, code: string): Answer {
  return { status, body: `<?xml version="1.0"?><Error><Code>${code}</Code></Error>` }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
