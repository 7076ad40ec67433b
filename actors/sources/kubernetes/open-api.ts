// Opens the Kubernetes API the way the configuration and the surroundings allow.
import { inClusterAccess, kubeconfigAccess } from './access.js'
import { httpPodsApi } from './http-api.js'
import type { PodsApi } from './pods-api.js'

/** Undefined when there is neither a kubeconfig nor a service account: records then go by their paths only. */
export async function openPodsApi(
  kubeconfig: string | undefined,
  whole: boolean,
): Promise<PodsApi | undefined> {
  const access = kubeconfig === undefined ? inClusterAccess() : await kubeconfigAccess(kubeconfig)
  return access === undefined ? undefined : httpPodsApi(access, { whole })
}
