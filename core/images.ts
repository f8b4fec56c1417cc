/** The images Windlass itself runs, by their public names; each may be replaced by one that holds the same program. */
export interface SystemImages {
  /** BusyBox: keeps a pod's network and volumes, and probes. */
  sandbox: string;
  proxy: string;
  nameServer: string;
}

export const SYSTEM_IMAGES: SystemImages = {
  sandbox: 'busybox:1.36',
  proxy: 'haproxy:2.6',
  nameServer: 'dockurr/dnsmasq:2.90',
};
