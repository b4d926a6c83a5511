export function MachinePage() {
  return <p>soon</p>;
}
