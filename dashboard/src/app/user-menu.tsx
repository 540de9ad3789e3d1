import { useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { CircleUser, LogOut, MonitorSmartphone } from "lucide-react";
import { logout, type User } from "@/api/auth";
import { chooseLanguage, currentLanguage, t, word } from "@/lib/i18n";
import { chooseTheme, currentTheme } from "@/lib/theme";
import { buttonClass } from "@/ui/button";
import { Menu, MenuChoice, MenuItem, MenuLine } from "@/ui/menu";
import { toastFailure } from "@/ui/toast";

export function UserMenu({ user }: { user: User }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const signOut = async () => {
    try {
      await logout();
      client.clear();
      await navigate({ to: "/login" });
    } catch (error) {
      toastFailure(t("user.signOutFailed"), error);
    }
  };
  return (
    <Menu
      defaultOpen
      label={t("user.menu", { name: user.username })}
      triggerClass={buttonClass("ghost", "icon")}
      trigger={<CircleUser aria-hidden="true" size={18} />}
    >
      <div className="px-2.5 pt-1.5 pb-2">
        <p className="font-medium">{user.username}</p>
        <p className="text-xs text-muted">{word("role", user.role)}</p>
      </div>
      <MenuLine />
      <MenuChoice
        label={t("user.theme")}
        value={currentTheme()}
        onChoose={chooseTheme}
        options={[
          { value: "system", label: t("theme.system") },
          { value: "light", label: t("theme.light") },
          { value: "dark", label: t("theme.dark") },
        ]}
      />
      <MenuLine />
      <MenuChoice
        label={t("user.language")}
        value={currentLanguage()}
        onChoose={chooseLanguage}
        options={[
          { value: "en", label: "English" },
          { value: "de", label: "Deutsch" },
        ]}
      />
      <MenuLine />
      <MenuItem onSelect={() => void navigate({ to: "/account" })}>
        <MonitorSmartphone aria-hidden="true" size={15} />
        {t("account.title")}
      </MenuItem>
      <MenuItem onSelect={() => void signOut()}>
        <LogOut aria-hidden="true" size={15} />
        {t("user.signOut")}
      </MenuItem>
    </Menu>
  );
}
