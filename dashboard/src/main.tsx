import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { whenSessionEnds } from "@/api/session";
import { makeQueryClient } from "@/app/query-client";
import { loadLanguage } from "@/lib/i18n";
import { makeRouter } from "@/routes";
import { Toasts } from "@/ui/toast";
import "@/styles.css";

const client = makeQueryClient();
const router = makeRouter(client);

whenSessionEnds(() => {
  const here = router.state.location;
  if (here.pathname === "/login" || here.pathname === "/setup") return;
  client.removeQueries({ queryKey: ["me"] });
  void router.navigate({ to: "/login", search: { next: here.href } });
});

await loadLanguage();
const root = document.getElementById("root");
if (root !== null) {
  createRoot(root).render(
    <StrictMode>
      <QueryClientProvider client={client}>
        <RouterProvider router={router} />
        <Toasts />
      </QueryClientProvider>
    </StrictMode>,
  );
}
