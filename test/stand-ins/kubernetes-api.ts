// A stand-in for the Kubernetes API's pods and events: list in pages, watch from a resource version, bookmarks, 410 Gone, field selectors.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface PodObject {
  readonly metadata: {
    readonly name: string
    readonly namespace: string
    readonly uid: string
    readonly labels?: Readonly<Record<string, string>>
    readonly annotations?: Readonly<Record<string, string>>
  }
  readonly spec?: { readonly nodeName?: string; readonly containers?: readonly object[] }
  readonly status?: object
}

export interface KubernetesStandIn {
  readonly url: string
  /** `<path>?<query>` of every request. */
  readonly requests: string[]
  /** Adds or changes a pod; watches are told. */
  put(pod: PodObject): void
  remove(uid: string): void
  /** An event of a pod, as `kubectl get events` shows them. */
  event(pod: PodObject, event: { type: string; reason: string; message: string; count?: number }): void
  /** Forgets what was before now: a watch from an older version is told 410. */
  compact(): void
  bookmark(): void
  endWatches(): void
  watches(): number
  close(): Promise<void>
}

type Change = {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly pod: PodObject
}
interface Watch {
  readonly response: ServerResponse
  readonly matches: (pod: PodObject) => boolean
  readonly isPartial: boolean
}

const PAGE_MAX = 500

export async function startKubernetesStandIn({ token = 'node-token' } = {}): Promise<KubernetesStandIn> {
  const pods = new Map<string, { pod: PodObject; version: number }>()
  const events: object[] = []
  const watches = new Set<Watch>()
  const requests: string[] = []
  let changes: Change[] = []
  let compactedTo = 0
  let version = 1

  function change(type: Change['type'], pod: PodObject): void {
    version++
    changes.push({ version, type, pod })
    for (const watch of watches) send(watch, { version, type, pod })
  }

  function send({ response, matches, isPartial }: Watch, { version: at, type, pod }: Change): void {
    if (matches(pod)) line(response, { type, object: objectOf(pod, at, isPartial) })
  }

  function listPods(query: URLSearchParams, isPartial: boolean): object {
    const matching = [...pods.values()].filter(({ pod }) => selector(query)(pod))
    const from = Number(query.get('continue') ?? 0)
    const limit = Math.min(PAGE_MAX, Number(query.get('limit') ?? PAGE_MAX))
    const next = from + limit < matching.length ? { continue: String(from + limit) } : {}
    const items = matching
      .slice(from, from + limit)
      .map(({ pod, version: at }) => objectOf(pod, at, isPartial))
    return {
      kind: 'PodList',
      apiVersion: 'v1',
      metadata: { resourceVersion: String(version), ...next },
      items,
    }
  }

  function watchPods(query: URLSearchParams, isPartial: boolean, response: ServerResponse): void {
    const since = Number(query.get('resourceVersion') ?? 0)
    response.flushHeaders()
    if (since < compactedTo) {
      line(response, { type: 'ERROR', object: gone(since, compactedTo) })
      return void response.end()
    }
    const watch = { response, matches: selector(query), isPartial }
    for (const each of changes) if (each.version > since) send(watch, each)
    watches.add(watch)
    response.on('close', () => watches.delete(watch))
  }

  function answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://api')
    requests.push(`${url.pathname}?${url.searchParams.toString()}`)
    response.setHeader('content-type', 'application/json')
    if (request.headers.authorization !== `Bearer ${token}`) return status(response, 401, 'Unauthorized')
    const isPartial = /as=PartialObjectMetadata/.test(request.headers.accept ?? '')
    const query = url.searchParams
    if (url.pathname === '/api/v1/pods') {
      if (query.get('watch') === 'true') return watchPods(query, isPartial, response)
      return void response.end(JSON.stringify(listPods(query, isPartial)))
    }
    const namespace = /^\/api\/v1\/namespaces\/([^/]+)\/events$/.exec(url.pathname)?.[1]
    if (namespace === undefined) return status(response, 404, 'NotFound')
    const uid = /^involvedObject\.uid=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1]
    const items = events.filter((event) => {
      const { involvedObject } = event as { involvedObject: { uid: string; namespace: string } }
      return involvedObject.namespace === namespace && (uid === undefined || involvedObject.uid === uid)
    })
    response.end(JSON.stringify({ kind: 'EventList', metadata: {}, items }))
  }

  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    put(pod) {
      const known = pods.has(pod.metadata.uid)
      change(known ? 'MODIFIED' : 'ADDED', pod)
      pods.set(pod.metadata.uid, { pod, version })
    },
    remove(uid) {
      const known = pods.get(uid)
      pods.delete(uid)
      if (known !== undefined) change('DELETED', known.pod)
    },
    event(pod, event) {
      const { uid, name, namespace } = pod.metadata
      const lastTimestamp = new Date().toISOString()
      events.push({
        count: 1,
        lastTimestamp,
        ...event,
        involvedObject: { kind: 'Pod', uid, name, namespace },
      })
    },
    compact() {
      changes = []
      compactedTo = ++version
    },
    bookmark() {
      const object = { kind: 'Pod', apiVersion: 'v1', metadata: { resourceVersion: String(version) } }
      for (const { response } of watches) line(response, { type: 'BOOKMARK', object })
    },
    endWatches: () => watches.forEach(({ response }) => response.end()),
    watches: () => watches.size,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function objectOf(pod: PodObject, version: number, isPartial: boolean): object {
  const metadata = { ...pod.metadata, resourceVersion: String(version) }
  return isPartial
    ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
    : { kind: 'Pod', apiVersion: 'v1', ...pod, metadata }
}

function selector(query: URLSearchParams): (pod: PodObject) => boolean {
  const node = /^spec\.nodeName=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1]
  return (pod) => node === undefined || pod.spec?.nodeName === node
}

function line(response: ServerResponse, value: object): void {
  response.write(`${JSON.stringify(value)}\n`)
}

function gone(since: number, compactedTo: number): object {
  const message = `too old resource version: ${since} (${compactedTo})`
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', message, reason: 'Expired', code: 410 }
}

function status(response: ServerResponse, code: number, reason: string): void {
  response.writeHead(code)
  response.end(JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code }))
}
