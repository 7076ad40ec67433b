// How to reach the Kubernetes API: the service account of a pod, or a kubeconfig file.
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import type { OutgoingHttpHeaders } from 'node:http'
import type { RequestOptions } from 'node:https'
import { join } from 'node:path'

export interface KubeAccess {
  readonly server: URL
  /** Credentials and TLS settings, fresh for each request: tokens are rotated. */
  requestOptions(): Promise<KubeRequest>
}

export type KubeRequest = Omit<RequestOptions, 'headers'> & { readonly headers?: OutgoingHttpHeaders }

/** Where a pod finds its service account (kubernetes.io/docs/tasks/run-application/access-api-from-pod). */
const ACCOUNT_FOLDER = '/var/run/secrets/kubernetes.io/serviceaccount'

/** Undefined outside a cluster. */
export function inClusterAccess(
  env: NodeJS.ProcessEnv = process.env,
  folder = ACCOUNT_FOLDER,
): KubeAccess | undefined {
  const host = env['KUBERNETES_SERVICE_HOST']
  const port = env['KUBERNETES_SERVICE_PORT'] ?? '443'
  if (host === undefined || !existsSync(join(folder, 'token'))) return undefined
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    async requestOptions() {
      const [token, ca] = await Promise.all([
        readFile(join(folder, 'token'), 'utf8'),
        readFile(join(folder, 'ca.crt')),
      ])
      return { ca, headers: { authorization: `Bearer ${token.trim()}` } }
    },
  }
}

/**
 * All ways of logging in that a kubeconfig knows. The client library costs 75 MB of memory, so it is only loaded here; a node
 * in a cluster does without.
 */
export async function kubeconfigAccess(file: string): Promise<KubeAccess> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  config.loadFromFile(file)
  const cluster = config.getCurrentCluster()
  if (cluster === null) throw new Error(`${file} names no current cluster`)
  return {
    server: new URL(cluster.server),
    async requestOptions() {
      const options: KubeRequest = {}
      await config.applyToHTTPSOptions(options)
      return options
    },
  }
}
