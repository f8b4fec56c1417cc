/** The images Windlass itself runs, by their public names; each may be replaced by one that holds the same program. */
export interface SystemImages {
  /** BusyBox: keeps a pod's network and volumes, and probes. */
  sandbox: string;
  proxy: string;
  nameServer: string;
  /** nginx with its stream module, which the other proxy has no equal to: it carries UDP. */
  udpProxy: string;
  /** unbound, for the records that the name server, which is dnsmasq, does not serve: aliases and SRV. */
  recordServer: string;
  /** BusyBox again, one that needs no libraries: it is brought into tasks of Swarm, and asks them there how they are. */
  probe: string;
}

export const SYSTEM_IMAGES: SystemImages = {
  sandbox: 'busybox:1.36',
  proxy: 'haproxy:2.6',
  nameServer: 'dockurr/dnsmasq:2.90',
  udpProxy: 'nginx:1.22',
  recordServer: 'mvance/unbound:1.17.1',
  probe: 'busybox:1.36-musl',
};
